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

{{/* The configuration: made from the single values, then merged with config, which takes precedence. */}}
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

{{/* Refuses a configuration with contradicting fields, as the program does. */}}
{{- define "capnt-ccm.check" -}}
{{- $balancers := .loadBalancer | default dict -}}
{{- $types := append (values ($balancers.classes | default dict)) ($balancers.type | default "none") -}}
{{- range $type := list "nlb" "ipam" -}}
{{- if and (has $type $types) (not (get $balancers $type)) }}{{ fail (printf "config.loadBalancer.%s is needed for load balancers of that type" $type) }}{{ end -}}
{{- end -}}
{{- $byDefault := and (not (kindIs "map" $balancers.classes)) (or $balancers.nlb $balancers.ipam) -}}
{{- $routes := dig "enabled" false (.routes | default dict) -}}
{{- if and (or $byDefault $routes (has "nlb" $types) (has "ipam" $types)) (has (.clusterName | default "") (list "" "kubernetes")) -}}
{{- fail "clusterName is needed with load balancers and routes: one that no other cluster in Prism Central has, and not kubernetes" -}}
{{- end -}}
{{- if and $routes (not .routes.vpc) }}{{ fail "config.routes.vpc is needed with config.routes.enabled" }}{{ end -}}
{{- $nlb := $balancers.nlb | default dict -}}
{{- if and $nlb.floatingIP (not $nlb.externalSubnet) }}{{ fail "config.loadBalancer.nlb.externalSubnet is needed with floatingIP" }}{{ end -}}
{{- $check := $nlb.healthCheck | default dict -}}
{{- if gt (int ($check.timeoutSeconds | default 5)) (int ($check.intervalSeconds | default 10)) -}}
{{- fail "config.loadBalancer.nlb.healthCheck.timeoutSeconds has to be no more than intervalSeconds" -}}
{{- end -}}
{{- $keys := .topologyDiscovery.topologyCategories | default dict -}}
{{- if and (eq .topologyDiscovery.type "Categories") (not (and $keys.regionCategory $keys.zoneCategory)) -}}
{{- fail "config.topologyDiscovery.topologyCategories is needed for Categories, with regionCategory and zoneCategory" -}}
{{- end -}}
{{- end }}

{{/* The names in the configuration, which the roles also need: {"secret": ..., "bundle": ...}. */}}
{{- define "capnt-ccm.references" -}}
{{- $prism := dict -}}
{{- if .Values.createConfig }}{{ $prism = (include "capnt-ccm.config" . | fromJson).prismCentral }}{{ end -}}
{{- $secret := dig "credentialRef" "name" .Values.secretName $prism -}}
{{- $bundle := dig "additionalTrustBundle" "name" .Values.trustBundleName $prism -}}
{{- dict "secret" $secret "bundle" $bundle | toJson -}}
{{- end }}

{{/* Whether the route controller is enabled. Refuses contradicting values. */}}
{{- define "capnt-ccm.routes" -}}
{{- $routes := false -}}
{{- if .Values.createConfig }}{{ $routes = dig "routes" "enabled" false .Values.config }}{{ else }}{{ $routes = ne .Values.clusterCIDR "" }}{{ end -}}
{{- if and $routes (not .Values.clusterCIDR) }}{{ fail "clusterCIDR is needed with config.routes.enabled: it is the CIDR of pods" }}{{ end -}}
{{- if and .Values.clusterCIDR (not $routes) }}{{ fail "clusterCIDR is for routes alone: set config.routes.enabled and config.routes.vpc, or leave clusterCIDR empty" }}{{ end -}}
{{- if $routes }}true{{ end -}}
{{- end }}
