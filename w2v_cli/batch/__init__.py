"""Many recordings: which, in what order, on which machines, and what is finished already."""
