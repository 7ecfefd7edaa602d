package crashdisk

// Sync makes all that was written and named so far survive, as one sync of the whole disk does. A fault is asked about
// it as "sync" of the path "".
func (d *Disk) Sync() error {
	if _, err := d.check("sync", "", 0); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, op := range d.mu.ops {
		op.apply(op.dir.durable)
	}
	d.mu.ops = nil
	d.mu.root.settleAll()
	return nil
}

// settleAll settles every file below a folder.
func (n *node) settleAll() {
	if n.children == nil {
		n.settle()
		return
	}
	for _, child := range n.children {
		child.settleAll()
	}
}

// Holds says that every folder lies on this disk.
func (d *Disk) Holds(string) bool { return true }

// Crowded says that nobody else writes to it.
func (d *Disk) Crowded() bool { return false }
