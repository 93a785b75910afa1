package display

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// cell is one cell of a table.
type cell struct{ text, color string }

// table aligns columns. text/tabwriter would count the characters of colours, too.
type table struct {
	style  Style
	indent string
	rows   [][]cell
}

func (t *table) add(cells ...cell) {
	for i := range cells {
		cells[i].text = printable(cells[i].text)
	}
	t.rows = append(t.rows, cells)
}

func (t *table) header(titles ...string) {
	cells := make([]cell, len(titles))
	for i, title := range titles {
		cells[i].text = title
	}
	t.rows = append(t.rows, cells)
}

// write writes the rows. Columns are separated by three spaces, as those of kubectl.
func (t *table) write(out io.Writer) error {
	widths := t.widths()
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(t.style.paint(cell.color, cell.text))
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell.text)+3))
			}
		}
		if _, err := fmt.Fprintln(out, strings.TrimRight(t.indent+line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) widths() []int {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell.text))
		}
	}
	return widths
}

// Table writes rows with aligned columns. The first row contains the titles.
func Table(out io.Writer, rows [][]string) error {
	table := table{}
	for _, row := range rows {
		cells := make([]cell, len(row))
		for i, text := range row {
			cells[i].text = text
		}
		table.add(cells...)
	}
	return table.write(out)
}
