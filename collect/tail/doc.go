// Package tail follows log files into which Falco's alerts are written and takes the alerts out of their lines.
//
// What comes in: paths, globs and standard input, holding bare Falco JSON lines, CRI log lines or Docker json-file lines,
// in any mixture. What goes out, to a Sink: batches of records (one candidate alert each, its bytes as Falco wrote them),
// together with the positions reached, so that one durable write makes both permanent. What it never does: write to,
// lock or rename a followed file; ship a line that is not an alert; drop a line without counting it; parse an alert (a
// line that starts with '{' is a candidate, the hub judges it).
//
// # What identifies a file
//
// A name does not: it moves on at each rotation. An inode does not either: it is used again. A file is known by the
// hash of its first bytes and of the bytes just before the position reached, with device and inode only as a quick way
// to the right candidate. So a file renamed (x.log.1), copied and truncated (copytruncate), compressed (x.log.2.gz) or
// restored on another device is found again at its position, and another file in the same inode is not taken for it.
// Each read covers the last bytes that were read before, too; where they differ, the file was truncated or replaced.
//
// # How it fails
//
// A file that cannot be opened or read is logged once, and tried again at each poll. A Sink that refuses a batch (a full
// spool) is offered the same batch again until it takes it; meanwhile no more is read, but rotated files are kept
// open. Lines over Config.MaxLine are cut, counted, and their heads handed on. Memory is bounded by one batch (1 MiB
// and one record), and by MaxLine for each stream of a file that has an unfinished line.
//
// fsnotify only shortens the waiting. Polling alone finds everything: inotify has limits and sees nothing of other
// clients' writes on network filesystems.
package tail
