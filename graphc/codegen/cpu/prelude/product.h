/* Contractions, as `codegen/cpu/gemm/tiling.py` cuts them: what `product.c` is told of one. What a kernel alone knows, such as where
   its factors lie and what follows, is in tables and functions of its own. Sizes, steps and offsets count elements. */

/* Which part of the depth, of which product of a batch: points `turn` .. `end` of what the depth is cut from, and how far
   its two levels go. */
typedef struct {
  long item, turn, end, outer, inner;
} gc_block;
/* Some rows of one product: of `lines` there are, from `line0` on, `high`; `skip` of them are of another tile. `outside`
   numbers what rows have as axes besides. And some columns. */
typedef struct {
  long item, outside, line0, skip, high, n0, wide;
} gc_part;

/* How far a tile's depth goes on its two levels, the steps in the left factor from line to line and along the depth, those
   in the right one along the depth, whether there are sums to be added to, and how many lines there are. */
typedef struct {
  long outer, inner, m, k, o, along, down, add, high;
} gc_steps;
typedef void gc_tile(const gc_steps *, const void *left, const void *right, void *sums);
typedef void gc_row(long, long, const void *, long, long, const void *, long, long, void *, long);
typedef void gc_pack(long, long, const void *, long, long, void *, long, long, long, long);
typedef void gc_add(void *, const void *, long, long, long);

/* Terms count where row * m + column * n + depth * k + offset >= 0; factors are -1, 0 or 1. */
typedef struct {
  int row, column, depth, offset;
} gc_limit;

/* How a contraction is cut. */
typedef struct {
  enum { GC_TEAM, GC_BATCH, GC_SLICES } sharing; /* what the threads share */
  long size, tile_rows, width, band; /* of an element, of a tile; tiles that take turns with a panel */
  long slices;                       /* of the depth, where threads share it */
  long step;      /* how many points of its first axis make a block of the depth; 0: there is one block, or each is one */
  _Bool is_flat;  /* the depth has one axis: blocks are runs of the inner level, not of the outer one */
  /* What is gathered: always, or with so many rows and beyond such a depth, and if others are, the left factor too. */
  _Bool gathers_right, gathers_left, may_gather, packs_left;
  long many_rows, most_ungathered;
  _Bool along;         /* a gathered left factor's neighbours in depth are neighbours, not those in a column */
  long most_found;     /* tiles whose rows can have addresses of their own */
  _Bool may_be_whole;  /* the depth is one block where nothing is gathered */
  _Bool may_be_row, slices_row, may_help, may_share_columns, asks_for_rows;
  const gc_limit *limits;
  long limited; /* by how many of them */
  /* For all rows of a tile, and for each if there are fewer, unless the first takes any number; for a single row; what
     gathers tiles' rows; slices' sums. */
  gc_tile *tile, *line;
  gc_row *row;
  gc_pack *pack;
  gc_add *add;
  long (*left_at)(const void *args, const gc_block *, long outside); /* where factors begin; null: at 0 */
  long (*right_at)(const void *args, const gc_block *);
  void (*gather_right)(const void *args, const gc_block *, long column, long first, long end, void *panels);
  void (*gather_left)(const void *args, const gc_block *, const gc_part *, void *rows);
  void (*find_rows)(const void *args, const gc_block *, const gc_part *, const void **places);
  void (*ask)(const void *args, const gc_part *);
  void (*epilogue)(const void *args, const gc_part *, const void *sums);
} gc_cut;

/* A contraction of some sizes, and its memory. */
typedef struct {
  const gc_cut *cut;
  const void *args; /* what the kernel's functions are given */
  long work, items, outside, rows, columns, depth, column_block, blocks, outer, inner, most_depth;
  _Bool prefers_columns, asks; /* to share columns, not rows; for what the epilogue reads and writes */
  const char *left, *right; /* and the steps from line to line, along the levels of the depth, from block to block */
  long left_line, left_inner, left_outer, left_turn, right_inner, right_outer, right_turn;
  char *panels, *packed, *row_sums, *sums;
  char *tile; /* the sums of a tile that registers cannot hold */
  const void **places;
} gc_product;

GC_KERNEL void gc_multiply(const gc_product *p, const gc_worker *self);
