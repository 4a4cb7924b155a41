package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Lives here: the timings of bbolt that benchmarks compare with.

// timing is one line of the answer: how often something was done, and how long all of it took.
type timing struct {
	Operations int     `json:"operations"`
	Seconds    float64 `json:"seconds"`
}

// runBench measures on a file made by `fill` and prints one JSON object. Iterating is done twice
// (the first time faults the pages in), lookups go to random keys, commits put one key each.
func runBench(o *options, args []string, out *bufio.Writer) error {
	if len(args) != 1 {
		return errUsage
	}
	result := map[string]timing{}
	measure := func(name string, operations int, f func() error) error {
		start := time.Now()
		err := f()
		result[name] = timing{operations, time.Since(start).Seconds()}
		return err
	}
	var db *bolt.DB
	if err := measure("open", 1, func() (err error) {
		db, err = o.open(args[0])
		return err
	}); err != nil {
		return err
	}
	defer db.Close()
	count, err := benchReads(db, o, measure)
	if err != nil {
		return err
	}
	if o.commits > 0 && !o.readOnly {
		if err := measure("commit", o.commits, func() error { return putEach(db, o, count) }); err != nil {
			return err
		}
	}
	if err := db.Close(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}

func benchReads(db *bolt.DB, o *options, measure func(string, int, func() error) error) (int, error) {
	count := 0
	err := db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(fillBucket)
		if b == nil {
			return fmt.Errorf("no bucket %q: make the file with `fill`", fillBucket)
		}
		count = b.Stats().KeyN
		for _, name := range []string{"iterate_first", "iterate"} {
			if err := measure(name, count, func() error { return iterate(b) }); err != nil {
				return err
			}
		}
		keys := make([][]byte, o.gets)
		random := rand.New(rand.NewSource(1))
		for i := range keys {
			keys[i] = fillKey(random.Intn(count))
		}
		if err := measure("get", len(keys), func() error { return getEach(b, keys) }); err != nil {
			return err
		}
		return measure("check", 1, func() error {
			for finding := range tx.Check() {
				return finding
			}
			return nil
		})
	})
	return count, err
}

func iterate(b *bolt.Bucket) error {
	size := 0
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		size += len(k) + len(v)
	}
	if size == 0 {
		return fmt.Errorf("nothing to iterate over")
	}
	return nil
}

func getEach(b *bolt.Bucket, keys [][]byte) error {
	for _, key := range keys {
		if b.Get(key) == nil {
			return fmt.Errorf("a key of `fill` is missing")
		}
	}
	return nil
}

func putEach(db *bolt.DB, o *options, count int) error {
	random := rand.New(rand.NewSource(2))
	for i := 0; i < o.commits; i++ {
		key := fillKey(random.Intn(count))
		if err := db.Update(func(tx *bolt.Tx) error {
			return tx.Bucket(fillBucket).Put(key, fillValue(i, 16))
		}); err != nil {
			return err
		}
	}
	return nil
}
