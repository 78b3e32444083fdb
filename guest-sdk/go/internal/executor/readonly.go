package executor

// IsReadOnly tells whether nothing may wait and no command may be given now.
func (r *Runtime) IsReadOnly() bool { return r.readOnly != "" }
