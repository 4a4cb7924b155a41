package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Lives here: what keeps a file busy: hold, loop, fill.

// stdinEnds is closed when whoever started this process lets go of it.
func stdinEnds() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(done)
	}()
	return done
}

// runHold keeps the lock: exclusive, or shared with -read-only. It prints "ready" once it has it.
func runHold(o *options, args []string, out *bufio.Writer) error {
	if len(args) != 1 {
		return errUsage
	}
	db, err := o.open(args[0])
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ready")
	out.Flush()
	var timeUp <-chan time.Time
	if o.seconds > 0 {
		timeUp = time.After(time.Duration(o.seconds * float64(time.Second)))
	}
	select {
	case <-stdinEnds():
	case <-timeUp:
	}
	return db.Close()
}

// Buckets of `loop`.
var (
	counterBucket = []byte("counter")
	ringBucket    = []byte("ring")
	mirrorBuckets = [][]byte{[]byte("mirror0"), []byte("mirror1"), []byte("mirror2")}
	counterKey    = []byte("n")
)

// runLoop commits without end. Transaction number n puts n into the counter and into each mirror,
// puts n into slot n mod SLOTS of the ring, and deletes the slot half a ring away. So the whole
// content follows from the counter, and a copy that mixes two transactions gives itself away.
// It prints "ready" after the first commit and "done N" at the end.
func runLoop(o *options, args []string, out *bufio.Writer) error {
	if len(args) != 1 {
		return errUsage
	}
	db, err := o.openOrCreate(args[0])
	if err != nil {
		return err
	}
	n := uint64(0)
	if err := db.View(func(tx *bolt.Tx) error {
		if b := tx.Bucket(counterBucket); b != nil {
			n = binary.BigEndian.Uint64(b.Get(counterKey))
		}
		return nil
	}); err != nil {
		return err
	}
	first := n + 1
	done := stdinEnds()
	for {
		select {
		case <-done:
			fmt.Fprintf(out, "done %d\n", n)
			return db.Close()
		default:
		}
		n++
		if err := db.Update(func(tx *bolt.Tx) error { return loopStep(tx, n, o.slots) }); err != nil {
			return err
		}
		if n == first {
			fmt.Fprintln(out, "ready")
			out.Flush()
		}
		if o.pause > 0 {
			time.Sleep(o.pause)
		}
	}
}

func loopStep(tx *bolt.Tx, n, slots uint64) error {
	value := binary.BigEndian.AppendUint64(nil, n)
	for _, name := range append([][]byte{counterBucket}, mirrorBuckets...) {
		b, err := tx.CreateBucketIfNotExists(name)
		if err != nil {
			return err
		}
		if err := b.Put(counterKey, value); err != nil {
			return err
		}
	}
	ring, err := tx.CreateBucketIfNotExists(ringBucket)
	if err != nil {
		return err
	}
	if err := ring.Put(binary.BigEndian.AppendUint64(nil, n%slots), value); err != nil {
		return err
	}
	return ring.Delete(binary.BigEndian.AppendUint64(nil, (n+slots/2)%slots))
}

var fillBucket = []byte("data")

// fillKey and fillValue are what `fill` writes: 15 bytes "k" and a number, and a value that
// repeats the number to the length asked for.
func fillKey(i int) []byte { return []byte(fmt.Sprintf("k%014d", i)) }

func fillValue(i, size int) []byte {
	value := make([]byte, 0, size+16)
	for len(value) < size {
		value = append(value, fmt.Sprintf("v%015d", i)...)
	}
	return value[:size]
}

// runFill puts COUNT keys into the bucket "data".
func runFill(o *options, args []string, _ *bufio.Writer) error {
	if len(args) != 2 {
		return errUsage
	}
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return errUsage
	}
	db, err := o.openOrCreate(args[0])
	if err != nil {
		return err
	}
	defer db.Close()
	order := make([]int, count)
	for i := range order {
		order[i] = i
	}
	if o.shuffle != 0 {
		rand.New(rand.NewSource(o.shuffle)).Shuffle(count, func(i, j int) {
			order[i], order[j] = order[j], order[i]
		})
	}
	for len(order) > 0 {
		batch := order
		if len(batch) > o.batch {
			batch = batch[:o.batch]
		}
		order = order[len(batch):]
		if err := db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(fillBucket)
			if err != nil {
				return err
			}
			o.tune(b)
			for _, i := range batch {
				if err := b.Put(fillKey(i), fillValue(i, o.valueSize)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return db.Close()
}
