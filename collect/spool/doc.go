// Package spool keeps records on disk until they are delivered, together with the state of whoever writes them.
//
// What comes in: batches of records (opaque bytes) with changes of a small key-value state, such as "this file was read up
// to here". What goes out: the records in order, each until Commit says that it was delivered; and, at Open, the state. What
// it never does: interpret a record; drop one to make room (a full spool refuses with ErrFull).
//
// # Crash argument
//
// One Append is one frame in an append-only segment: one write, one fsync, one checksum. So its records and the state that
// says they were taken are there both or not at all. A frame that is torn by a crash fails its checksum; as Append had
// not returned, the writer still has its state from before, reads its source again and loses nothing. The mark of what
// was delivered is written after the delivery; where it is lost, records are delivered again, never skipped. The layout
// of the bytes is in FORMAT.md.
//
// The disk is trusted for this: fsync returns after the bytes are safe; a directory's fsync makes its names safe; a write of
// one sector does not harm another; what was written safely may rot, and is then detected, skipped, counted and reported.
//
// # How it fails
//
// A write that fails (a full disk) leaves the spool as it was; the next Append tries again. After a failed fsync nobody
// knows what is on the disk, so the segment is not written to any more (https://danluu.com/file-consistency/); the next Append
// starts a new one.
package spool
