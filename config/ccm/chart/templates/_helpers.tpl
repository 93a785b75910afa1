{{- define "capnt-ccm.name" -}}
{{ .Chart.Name }}
{{- end }}

{{- define "capnt-ccm.selector" -}}
app.kubernetes.io/name: {{ include "capnt-ccm.name" . }}
{{- end }}

{{- define "capnt-ccm.labels" -}}
{{ include "capnt-ccm.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "capnt-ccm.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The configuration: what the single values say, with config laid over it. */}}
{{- define "capnt-ccm.config" -}}
{{- $v := .Values -}}
{{- $prism := dict "port" (int $v.prismCentralPort) "insecure" $v.prismCentralInsecure -}}
{{- with $v.prismCentralEndPoint }}{{ $_ := set $prism "address" . }}{{ end -}}
{{- $_ := set $prism "credentialRef" (dict "kind" "Secret" "name" $v.secretName) -}}
{{- if $v.prismCentralAdditionalTrustBundle -}}
{{- $_ := set $prism "additionalTrustBundle" (dict "kind" "ConfigMap" "name" $v.trustBundleName) -}}
{{- end -}}
{{- $topology := dict "type" $v.topologyDiscovery.type -}}
{{- if eq $v.topologyDiscovery.type "Categories" -}}
{{- $keys := dict "regionCategory" $v.topologyCategories.region "zoneCategory" $v.topologyCategories.zone -}}
{{- $_ := set $topology "topologyCategories" $keys -}}
{{- end -}}
{{- $config := dict "prismCentral" $prism "topologyDiscovery" $topology -}}
{{- if $v.enableCustomLabeling }}{{ $_ := set $config "enableCustomLabeling" true }}{{ end -}}
{{- range $key := list "ignoredNodeIPs" "clusterName" "controlPlaneEndpoint" -}}
{{- with get $v $key }}{{ $_ := set $config $key . }}{{ end -}}
{{- end -}}
{{- mergeOverwrite $config (deepCopy $v.config) | toJson -}}
{{- end }}

{{/* The names that the configuration refers to, which the rights have to name: {"secret": ..., "bundle": ...}. */}}
{{- define "capnt-ccm.references" -}}
{{- $prism := dict -}}
{{- if .Values.createConfig }}{{ $prism = (include "capnt-ccm.config" . | fromJson).prismCentral }}{{ end -}}
{{- $secret := dig "credentialRef" "name" .Values.secretName $prism -}}
{{- $bundle := dig "additionalTrustBundle" "name" .Values.trustBundleName $prism -}}
{{- dict "secret" $secret "bundle" $bundle | toJson -}}
{{- end }}

{{/* Whether routes are kept. What does not fit together is refused here. */}}
{{- define "capnt-ccm.routes" -}}
{{- $routes := false -}}
{{- if .Values.createConfig }}{{ $routes = dig "routes" "enabled" false .Values.config }}{{ else }}{{ $routes = ne .Values.clusterCIDR "" }}{{ end -}}
{{- if and $routes (not .Values.clusterCIDR) }}{{ fail "clusterCIDR is needed with config.routes.enabled: it is the CIDR of pods" }}{{ end -}}
{{- if and .Values.clusterCIDR (not $routes) }}{{ fail "clusterCIDR is for routes alone: set config.routes.enabled and config.routes.vpc, or leave clusterCIDR empty" }}{{ end -}}
{{- if $routes }}true{{ end -}}
{{- end }}
