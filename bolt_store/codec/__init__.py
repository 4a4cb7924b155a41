r"""Bytes to values and back: the bolt file format, written out.

Lives here: one module for each thing that lies on disk, with `decode_*` and `encode_*`. Must not
live here: files, clocks, caches, repair. What `encode_*` refuses to write, `decode_*` refuses to
read; what is tolerated is said below.

A file is an array of pages of one size, a power of two that is written in the metas. Page `p`
starts at byte `p * page_size`. A *run* is a page with its `overflow` following pages; only the
first has a header. All integers are little-endian (the byte order of the writing machine).

**page header**, 16 bytes, `<QHHI`::

     0  id        u64   the page's own number; 0 on an inline page
     8  flags     u16   one of: 1 branch, 2 leaf, 4 meta, 0x10 freelist
    10  count     u16   elements; 0xFFFF on a freelist: the first id is the real count
    12  overflow  u32   further pages in the run

**meta page**, pages 0 and 1: header (flags 4), then at byte 16, `<IIIIQQQQQQ`::

    16  magic u32 0xED0CDAED    20  version u32 2    24  page size u32    28  flags u32
    32  root page u64           40  root sequence    48  freelist page u64, 2^64-1: not stored
    56  high water mark u64: first id never used     64  txid u64
    72  checksum u64: FNV-1a 64 of bytes 16 to 72

The meta with the higher txid and a right checksum counts, slot 0 on equal txids. Checksum 0 is
accepted by bbolt up to v1.3.6 and refused from v1.3.7 on: here it is the last resort for reading.

**leaf page**: header (flags 2), `count` elements `<IIII`, then the keys and values::

     0  flags  u32   1: the value is a bucket, 0: a plain value
     4  pos    u32   distance from this element's first byte to the key
     8  ksize  u32   1 to 32768, more for the name of a bucket
    12  vsize  u32   the value follows its key directly

Keys are unique and ascend bytewise. bbolt packs the data in element order without gaps; gaps are
accepted on reading and never written. Only the leaf root of a bucket may be empty.

**branch page**: header (flags 1), `count` elements `<IIQ`, then the keys::

     0  pos    u32   as above          4  ksize  u32          8  child page u64

A key equals the first key of the child it points to. At least two elements; all leaves of one
tree lie at the same depth.

**bucket**: the value of a leaf element with flag 1. `<QQ`: root page, sequence. A root page of 0
means *inline*: a whole leaf page without padding follows (header id 0). bbolt writes a bucket
inline when it is one leaf without buckets in it, of at most a quarter of a page. The root bucket's
tree is named by the meta; it holds buckets only.

**freelist page**: header (flags 0x10), then ascending u64 page ids: every page that is free in this
snapshot, but not the pages of this run. From 65,535 ids on, `count` is 0xFFFF and the real count
stands in front of the ids.

Source: bbolt v1.3.6 page.go, db.go (meta), bucket.go, freelist.go, node.go; sizes verified at
import in `layout`.
"""
