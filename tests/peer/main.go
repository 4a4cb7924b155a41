// Command peer is the independent witness of the tests: it does to a bolt file what bbolt 1.3.6,
// the version inside influxd, does to it, and says what it sees there.
//
// It is built from Debian's packaged bbolt and uses nothing of the Python code that it judges:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o tests/peer/bin/peer ./tests/peer
//
// Lives here: the command line and the opening of files. The commands themselves are in the other
// files of this package, one subject each. Only `init`, `fill` and `loop` make a file; every other
// command refuses one that is not there, although bbolt itself would make it.
//
// Bytes are printed in hexadecimal, "-" stands for no bytes, and "/" separates bucket names.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

// options are the flags that several commands share.
type options struct {
	pageSize       int
	readOnly       bool
	noFreelistSync bool
	hashmap        bool
	noSync         bool
	fill           float64
	timeout        time.Duration

	seconds   float64
	pause     time.Duration
	slots     uint64
	batch     int
	valueSize int
	shuffle   int64
	gets      int
	commits   int
	withPerms bool
}

// command is one thing that the peer can do.
type command struct {
	usage string
	run   func(o *options, args []string, out *bufio.Writer) error
}

var commands = map[string]command{
	"init":     {"init FILE", runInit},
	"apply":    {"apply [FILE] < SCRIPT", runApply},
	"dump":     {"dump FILE", runDump},
	"check":    {"check FILE", runCheck},
	"pages":    {"pages FILE", runPages},
	"backup":   {"backup FILE TARGET", runBackup},
	"hold":     {"hold FILE (until stdin ends, or -seconds)", runHold},
	"loop":     {"loop FILE (until stdin ends)", runLoop},
	"fill":     {"fill FILE COUNT", runFill},
	"bench":    {"bench FILE", runBench},
	"json":     {"json < LINES", runJSON},
	"authlist": {"authlist FILE", runAuthList},
}

var errUsage = errors.New("wrong arguments")

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	cmd, known := commands[os.Args[1]]
	if !known {
		usage()
	}
	o := &options{}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.IntVar(&o.pageSize, "page-size", 0, "page size of a new file (0: the kernel's)")
	flags.BoolVar(&o.readOnly, "read-only", false, "open with the shared lock")
	flags.BoolVar(&o.noFreelistSync, "no-freelist-sync", false, "do not store the freelist")
	flags.BoolVar(&o.hashmap, "hashmap", false, "use the hashmap freelist")
	flags.BoolVar(&o.noSync, "no-sync", false, "do not wait for the disk")
	flags.Float64Var(&o.fill, "fill", 0, "fill percent of buckets (0: bbolt's)")
	flags.DurationVar(&o.timeout, "timeout", time.Second, "how long to try for the lock")
	flags.Float64Var(&o.seconds, "seconds", 0, "hold: end after this time")
	flags.DurationVar(&o.pause, "pause", 0, "loop: pause between two transactions")
	flags.Uint64Var(&o.slots, "slots", 2000, "loop: size of the ring of keys")
	flags.IntVar(&o.batch, "batch", 10000, "fill: keys in one transaction")
	flags.IntVar(&o.valueSize, "value-size", 16, "fill: bytes of a value")
	flags.Int64Var(&o.shuffle, "shuffle", 0, "fill: seed of a random order (0: ascending)")
	flags.IntVar(&o.gets, "gets", 100000, "bench: number of lookups")
	flags.IntVar(&o.commits, "commits", 200, "bench: number of one-put commits (0: none)")
	flags.BoolVar(&o.withPerms, "permissions", false, "authlist: write the permissions, too")
	_ = flags.Parse(os.Args[2:])

	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	err := cmd.run(o, flags.Args(), out)
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	if errors.Is(err, errUsage) {
		usage()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: peer COMMAND [flags] …")
	for _, cmd := range commands {
		fmt.Fprintln(os.Stderr, "      ", cmd.usage)
	}
	os.Exit(2)
}

// open opens a file that is there already.
func (o *options) open(path string) (*bolt.DB, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, errors.New("the file is empty, and bbolt would make a database of it")
	}
	return o.openOrCreate(path)
}

func (o *options) openOrCreate(path string) (*bolt.DB, error) {
	freelist := bolt.FreelistArrayType
	if o.hashmap {
		freelist = bolt.FreelistMapType
	}
	return bolt.Open(path, 0o600, &bolt.Options{
		Timeout:        o.timeout,
		ReadOnly:       o.readOnly,
		NoFreelistSync: o.noFreelistSync,
		FreelistType:   freelist,
		NoSync:         o.noSync,
		PageSize:       o.pageSize,
	})
}

// openForReading opens with the shared lock, whatever the flags say.
func (o *options) openForReading(args []string) (*bolt.DB, error) {
	if len(args) != 1 {
		return nil, errUsage
	}
	reader := *o
	reader.readOnly = true
	return reader.open(args[0])
}

// tune gives a bucket the fill percent that was asked for.
func (o *options) tune(b *bolt.Bucket) *bolt.Bucket {
	if b != nil && o.fill != 0 {
		b.FillPercent = o.fill
	}
	return b
}

func runInit(o *options, args []string, _ *bufio.Writer) error {
	if len(args) != 1 {
		return errUsage
	}
	if _, err := os.Stat(args[0]); err == nil {
		return errors.New("the file is there already")
	}
	db, err := o.openOrCreate(args[0])
	if err != nil {
		return err
	}
	return db.Close()
}
