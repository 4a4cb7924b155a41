package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// Lives here: what only looks at a file: dump, check, pages, backup.

func hexOf(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

func join(path string, name []byte) string {
	if path == "" {
		return hexOf(name)
	}
	return path + "/" + hexOf(name)
}

func runDump(o *options, args []string, out *bufio.Writer) error {
	db, err := o.openForReading(args)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error { return dump(tx, out) })
}

// dump prints everything in key order: "B PATH SEQUENCE" and "K PATH KEY VALUE".
func dump(tx *bolt.Tx, out *bufio.Writer) error {
	return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
		return dumpBucket(join("", name), b, out)
	})
}

func dumpBucket(path string, b *bolt.Bucket, out *bufio.Writer) error {
	fmt.Fprintf(out, "B %s %d\n", path, b.Sequence())
	return b.ForEach(func(k, v []byte) error {
		if v == nil {
			return dumpBucket(join(path, k), b.Bucket(k), out)
		}
		_, err := fmt.Fprintf(out, "K %s %s %s\n", path, hexOf(k), hexOf(v))
		return err
	})
}

func runCheck(o *options, args []string, out *bufio.Writer) error {
	db, err := o.openForReading(args)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		check(tx, out)
		return nil
	})
}

// check prints a line "F sentence" for each finding of bbolt's own check.
func check(tx *bolt.Tx, out *bufio.Writer) int {
	count := 0
	for finding := range tx.Check() {
		fmt.Fprintf(out, "F %s\n", finding)
		count++
		// A damaged file may kill the process at any time: what is known is better out.
		out.Flush()
	}
	return count
}

func runBackup(o *options, args []string, _ *bufio.Writer) error {
	if len(args) != 2 {
		return errUsage
	}
	db, err := o.openForReading(args[:1])
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error { return tx.CopyFile(args[1], 0o600) })
}

func runPages(o *options, args []string, out *bufio.Writer) error {
	db, err := o.openForReading(args)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error { return pages(tx, args[0], out) })
}

// pages prints the shape of the file: "M PAGESIZE TXID ROOT FREELIST HWM", then depth-first in key
// order "P PATH DEPTH ID KIND COUNT OVERFLOW FIRSTKEY" for each page of each bucket ("." is the
// root bucket), and "I PATH COUNT" for each inline bucket.
//
// bbolt keeps its pages to itself, so the pages are read here anew, from the file.
func pages(tx *bolt.Tx, path string, out *bufio.Writer) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	w := &walker{data: data, out: out, pageSize: uint64(tx.DB().Info().PageSize)}
	for slot := uint64(0); slot < 2; slot++ {
		meta := data[slot*w.pageSize+16:]
		if number(meta[48:]) != uint64(tx.ID()) {
			continue
		}
		root := number(meta[16:])
		fmt.Fprintf(out, "M %d %d %d %d %d\n",
			w.pageSize, tx.ID(), root, number(meta[32:]), number(meta[40:]))
		return w.walk("", root, 0)
	}
	return errors.New("no meta page has the transaction id that bbolt reads")
}

type walker struct {
	data     []byte
	out      *bufio.Writer
	pageSize uint64
}

func number(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func short(b []byte) uint64 { return uint64(binary.LittleEndian.Uint32(b)) }

func (w *walker) walk(path string, id uint64, depth int) error {
	if (id+1)*w.pageSize > uint64(len(w.data)) {
		return fmt.Errorf("page %d lies outside of the file", id)
	}
	page := w.data[id*w.pageSize:]
	flags := binary.LittleEndian.Uint16(page[8:])
	count := int(binary.LittleEndian.Uint16(page[10:]))
	kind := map[uint16]string{1: "branch", 2: "leaf"}[flags]
	if kind == "" {
		return fmt.Errorf("page %d has flags %#x", id, flags)
	}
	first := "-"
	if count > 0 {
		element := page[16:]
		position, size := short(element), short(element[4:])
		if flags == 2 {
			position, size = short(element[4:]), short(element[8:])
		}
		first = hexOf(element[position : position+size])
	}
	shown := path
	if shown == "" {
		shown = "."
	}
	fmt.Fprintf(w.out, "P %s %d %d %s %d %d %s\n",
		shown, depth, id, kind, count, short(page[12:]), first)
	for i := 0; i < count; i++ {
		element := page[16+16*i:]
		var err error
		switch {
		case flags == 1:
			err = w.walk(path, number(element[8:]), depth+1)
		case short(element) == 1:
			key := element[short(element[4:]):]
			size := short(element[8:])
			err = w.walkBucket(join(path, key[:size]), key[size:])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) walkBucket(path string, value []byte) error {
	if root := number(value); root != 0 {
		return w.walk(path, root, 0)
	}
	_, err := fmt.Fprintf(w.out, "I %s %d\n", path, binary.LittleEndian.Uint16(value[16+10:]))
	return err
}
