/* What `gemm.c` is given of a contraction, tiled as in `codegen/cpu/gemm/tiling.py`. What differs from kernel to kernel,
   such as where its factors lie and its epilogue, is in tables and functions of the kernel. Sizes, steps and offsets
   count elements. */

/* A block of the depth, of which product of a batch: points `begin` .. `end` of the axis that is split, and the extents
   of its two levels. */
typedef struct {
  long item, begin, end, outer, inner;
} gc_block;
/* The part of one product that a tile computes: `high` rows from `line0` on, of which the first `skip` belong to another
   tile too; `outside` numbers the points of the axes of rows that are not tiled; and `wide` columns from `n0` on. */
typedef struct {
  long item, outside, line0, skip, high, n0, wide;
} gc_part;

/* For a micro-kernel: the extents of the two levels of the depth; the steps in the left factor from row to row and along
   the depth, and in the right factor along the depth; whether it adds to sums that are stored; the number of rows. */
typedef struct {
  long outer, inner, m, k, o, along, down, add, high;
} gc_steps;
typedef void gc_microkernel(const gc_steps *, const void *left, const void *right, void *sums);
typedef void gc_row(long, long, const void *, long, long, const void *, long, long, void *, long);
typedef void gc_pack(long, long, const void *, long, long, void *, long, long, long, long);
typedef void gc_add(void *, const void *, long, long, long);

/* Terms count where row * m + column * n + depth * k + offset >= 0; factors are -1, 0 or 1. */
typedef struct {
  int row, column, depth, offset;
} gc_limit;

/* How a contraction is tiled. */
typedef struct {
  enum { GC_TILES, GC_BATCH, GC_SLICES } sharing; /* what the threads share */
  long size, tile_rows, width, band; /* of an element, of a tile; tiles that use a panel one after the other */
  long slices;                       /* of the depth, where threads share it */
  long step; /* how many points of its first axis make a block of the depth; 0: there is one block, or each is one */
  _Bool is_flat;  /* the depth has one axis: blocks split the inner level, not the outer one */
  /* Which factors are packed: always; or with so many rows and beyond such a depth, the left one then if it says so. */
  _Bool always_packs_right, always_packs_left, may_pack, packs_left;
  long many_rows, most_unpacked;
  _Bool along;         /* neighbours in depth of a packed left factor are neighbours in memory, not those in a column */
  long most_addressed;     /* tiles whose rows can have addresses of their own */
  _Bool may_be_whole;  /* the depth is one block where nothing is packed */
  _Bool may_be_row, slices_row, may_steal, may_share_columns, prefetches_rows;
  const gc_limit *limits;
  long limited; /* by how many of them */
  /* For all rows of a tile, and for each row of one with fewer, unless the first takes any number; for a product of a
     single row; packing of the left factor; the sum of slices. */
  gc_microkernel *microkernel, *line_microkernel;
  gc_row *row;
  gc_pack *pack;
  gc_add *add;
  long (*left_at)(const void *args, const gc_block *, long outside); /* where factors begin; null: at 0 */
  long (*right_at)(const void *args, const gc_block *);
  void (*pack_right)(const void *args, const gc_block *, long column, long first, long end, void *panels);
  void (*pack_left)(const void *args, const gc_block *, const gc_part *, void *rows);
  void (*address_rows)(const void *args, const gc_block *, const gc_part *, const void **addresses);
  void (*prefetch)(const void *args, const gc_part *);
  void (*epilogue)(const void *args, const gc_part *, const void *sums);
} gc_tiling;

/* A contraction of some sizes, and its memory. */
typedef struct {
  const gc_tiling *tiling;
  const void *args; /* of the kernel's functions */
  long work, items, outside, rows, columns, depth, column_block, blocks, outer, inner, most_depth;
  _Bool prefers_columns, prefetches; /* threads share columns, not rows; what the epilogue reads and writes */
  const char *left, *right; /* and the steps from line to line, along the levels of the depth, from block to block */
  long left_line, left_inner, left_outer, left_block, right_inner, right_outer, right_block;
  char *panels, *packed, *row_sums, *sums;
  char *tile; /* the sums of a tile that registers cannot hold */
  const void **addresses; /* of rows */
} gc_gemm;

GC_KERNEL void gc_run_gemm(const gc_gemm *p, const gc_worker *self);
