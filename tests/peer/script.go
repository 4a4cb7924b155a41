package main

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// Lives here: `apply`, which plays a script from stdin. With FILE the file is open from the start;
// without, the script opens and closes files, so that one process can take a thousand turns with
// other programs. An answer follows each line but those inside of a transaction:
//
//	open PATH, close        ok
//	begin                   (no answer)
//	mk PATH                 make a bucket, unless it is there
//	rm PATH                 delete a bucket
//	put PATH KEY VALUE      in an existing bucket
//	del PATH KEY            of a plain key
//	seq PATH N              set the sequence
//	commit                  ok TXID SKIPPED
//	rollback                ok
//	dump, check, pages      their lines, then ok
//	anything else           error …
//
// SKIPPED counts the operations that bbolt refused or that had no bucket to work on.

type player struct {
	o       *options
	out     *bufio.Writer
	db      *bolt.DB
	tx      *bolt.Tx
	skipped int
}

var errSkipped = errors.New("no such bucket")

func runApply(o *options, args []string, out *bufio.Writer) error {
	if len(args) > 1 {
		return errUsage
	}
	p := &player{o: o, out: out}
	if len(args) == 1 {
		if err := p.open(args[0]); err != nil {
			return err
		}
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<16)
	for {
		line, err := in.ReadString('\n')
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			p.play(line)
		}
		if err == io.EOF {
			return p.close()
		}
		if err != nil {
			return err
		}
	}
}

// play runs one line. A panic of bbolt's is an answer, and the end: its locks are not released.
func (p *player) play(line string) {
	defer func() {
		if reason := recover(); reason != nil {
			fmt.Fprintf(p.out, "error panic: %v\n", reason)
			p.out.Flush()
			os.Exit(3)
		}
	}()
	answer, err := p.answer(line)
	switch {
	case err != nil:
		fmt.Fprintf(p.out, "error %v\n", err)
	case answer != "":
		fmt.Fprintln(p.out, answer)
	default:
		return
	}
	p.out.Flush()
}

func (p *player) answer(line string) (string, error) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "open":
		return "ok", p.open(rest)
	case "close":
		return "ok", p.close()
	}
	if p.db == nil {
		return "", errors.New("no file is open")
	}
	switch word {
	case "begin":
		return "", p.begin()
	case "dump":
		return "ok", p.db.View(func(tx *bolt.Tx) error { return dump(tx, p.out) })
	case "check":
		return "ok", p.db.View(func(tx *bolt.Tx) error {
			check(tx, p.out)
			return nil
		})
	case "pages":
		return "ok", p.db.View(func(tx *bolt.Tx) error { return pages(tx, p.db.Path(), p.out) })
	}
	if p.tx == nil {
		return "", fmt.Errorf("%q needs a transaction, or is unknown", word)
	}
	tx := p.tx
	switch word {
	case "commit":
		p.tx = nil
		answer := fmt.Sprintf("ok %d %d", tx.ID(), p.skipped)
		return answer, tx.Commit()
	case "rollback":
		p.tx = nil
		return "ok", tx.Rollback()
	}
	err := p.operate(word, strings.Split(rest, " "))
	var bad *badLine
	if errors.As(err, &bad) {
		return "", err
	}
	if err != nil {
		p.skipped++
	}
	return "", nil
}

func (p *player) open(path string) error {
	if p.db != nil {
		return errors.New("a file is open already")
	}
	db, err := p.o.open(path)
	if err == nil {
		p.db = db
	}
	return err
}

func (p *player) close() error {
	if p.tx != nil {
		_ = p.tx.Rollback()
		p.tx = nil
	}
	if p.db == nil {
		return nil
	}
	db := p.db
	p.db = nil
	return db.Close()
}

func (p *player) begin() error {
	if p.tx != nil {
		return errors.New("a transaction is open already")
	}
	p.skipped = 0
	tx, err := p.db.Begin(true)
	if err == nil {
		p.tx = tx
	}
	return err
}

// badLine is a fault of the script, as opposed to something that bbolt refuses.
type badLine struct{ problem string }

func (b *badLine) Error() string { return b.problem }

func (p *player) operate(word string, fields []string) error {
	want := map[string]int{"mk": 1, "rm": 1, "put": 3, "del": 2, "seq": 2}[word]
	if want == 0 || len(fields) != want {
		return &badLine{fmt.Sprintf("%q with %d arguments is no operation", word, len(fields))}
	}
	names, err := decodePath(fields[0])
	if err != nil {
		return err
	}
	parent, last := names[:len(names)-1], names[len(names)-1]
	switch word {
	case "mk":
		return p.make(parent, last)
	case "rm":
		if len(parent) == 0 {
			return p.tx.DeleteBucket(last)
		}
		if b := p.bucket(parent); b != nil {
			return b.DeleteBucket(last)
		}
		return errSkipped
	}
	b := p.bucket(names)
	if b == nil {
		return errSkipped
	}
	if word == "seq" {
		n, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			return &badLine{err.Error()}
		}
		return b.SetSequence(n)
	}
	key, err := decodeHex(fields[1])
	if err != nil {
		return err
	}
	if word == "del" {
		return b.Delete(key)
	}
	value, err := decodeHex(fields[2])
	if err != nil {
		return err
	}
	return b.Put(key, value)
}

func (p *player) make(parent [][]byte, name []byte) error {
	if len(parent) == 0 {
		b, err := p.tx.CreateBucketIfNotExists(name)
		p.o.tune(b)
		return err
	}
	b := p.bucket(parent)
	if b == nil {
		return errSkipped
	}
	child, err := b.CreateBucketIfNotExists(name)
	p.o.tune(child)
	return err
}

func (p *player) bucket(names [][]byte) *bolt.Bucket {
	b := p.o.tune(p.tx.Bucket(names[0]))
	for _, name := range names[1:] {
		if b == nil {
			return nil
		}
		b = p.o.tune(b.Bucket(name))
	}
	return b
}

func decodePath(text string) ([][]byte, error) {
	var names [][]byte
	for _, part := range strings.Split(text, "/") {
		name, err := decodeHex(part)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

func decodeHex(text string) ([]byte, error) {
	if text == "-" {
		return []byte{}, nil
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		return nil, &badLine{err.Error()}
	}
	return b, nil
}
