package problem

import (
	"net/http"
)

func (w *Writer) writePage(rw http.ResponseWriter, r *http.Request, p *Problem) {}
