package hub

// SetMaxSearched lowers how many findings a text search may return before the words are tried on documents.
func (h *Hub) SetMaxSearched(n int) { h.maxSearched = n }
