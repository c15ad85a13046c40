/* The loops of all contractions:

     for each block of columns, for each block of the depth:          (one of each, unless they are large)
       pack panels of the right factor, where it is not read in place
       for each tile of this thread:
         pack rows of the left factor, where it is not read in place
         micro-kernel; after the last block of the depth, the epilogue */

/* The largest tile that registers hold. */
#define GC_TILE_BYTES (32 * GC_VECTOR_BYTES)

/* The position of a tile: `groups` rows of tiles, `beside` of them in each. Tiles are numbered band by band; in a
   band column by column. With a band of one, this is row by row, and with one of all groups, column by column. */
typedef struct {
  long groups, beside, band;
  long group, column, start, end; /* of the tile, and which groups its band has */
} gc_place;
GC_FN gc_place gc_place_of(long tile, long groups, long beside, long band) {
  gc_place at = {.groups = groups, .beside = beside, .band = band};
  at.start = band * beside > 0 ? tile / (band * beside) * band : 0;
  at.end = GC_MIN(groups, at.start + band);
  const long tall = GC_MAX(1, at.end - at.start), within = tile - at.start * beside;
  at.group = at.start + within % tall, at.column = within / tall;
  return at;
}
/* The place some tiles further on, below in the column or beside in the row, or the next column, or the next band. */
GC_FN void gc_next_place(gc_place *at, long count) {
  if (at->band > 1 && (at->group += count) < at->end) return;
  at->column += at->band > 1 ? 1 : count;
  if (at->column == at->beside) {
    at->column = 0, at->start = at->end;
    at->end = GC_MIN(at->groups, at->start + at->band);
  }
  at->group = at->start;
}

/* One product, or a slice of it, while it is computed. */
typedef struct {
  const gc_gemm *p;
  const gc_worker *self;
  /* Tiles below each other for each of `outside`, and in all; beside each other; and the line of the last. */
  long tall, groups, across, last, threads;
  /* Whether factors that may be packed are; whether the left and the right one are; whether each thread packs panels for
     itself; whether threads share columns; whether there is a single row, which is not packed. */
  _Bool many, left, right, alone, by_columns, is_row;
  gc_block block;
  long from, to;          /* of the depth */
  long c0, beside, band;  /* a block of columns: the first, its tiles beside each other, the band */
  long first_unit;        /* the first of this thread's tiles */
  long packed_band, outside; /* which band of the left factor is packed, and which rows `at_left` belongs to */
  const char *at_left, *at_right;
  char *sums;
} gc_gemm_state;

/* The rows of a tile. The last tile is moved back, so that it has all its rows. */
GC_FN void gc_place_lines(const gc_gemm_state *job, long group, gc_part *part) {
  part->outside = job->p->outside > 1 ? group / job->tall : 0;
  const long m0 = (group - part->outside * job->tall) * job->p->tiling->tile_rows;
  part->line0 = GC_MIN(m0, job->last), part->skip = m0 - part->line0;
}

GC_NOINLINE const char *gc_find_left(gc_gemm_state *job, long outside) {
  const gc_gemm *const p = job->p;
  const long start = p->tiling->left_at ? p->tiling->left_at(p->args, &job->block, outside) : 0;
  job->outside = outside, job->at_left = p->left + (start + job->block.begin * p->left_block) * p->tiling->size;
  return job->at_left;
}

/* Packs the panels of a block; where the factor is read in place, only the last, if it is narrower. Panels lie as far
   apart in a last, less deep block as in the others: a thread that packs panels for itself must not write where other
   threads still read. */
GC_NOINLINE void gc_pack_right(const gc_gemm_state *job, long c1) {
  const gc_gemm *const p = job->p;
  const long width = p->tiling->width;
  if (!job->right && !(c1 == p->columns && p->columns % width)) return;
  const _Bool together = p->tiling->sharing == GC_TILES;
  const long count = job->right ? job->beside : 1;
  const long first = together ? gc_first(count, 1, job->self, job->threads) : 0;
  const long end = together ? gc_end(count, 1, job->self, job->threads) : count;
  if (together && !job->alone) gc_sync(job->self);
  if (first < end)
    p->tiling->pack_right(p->args, &job->block, job->right ? job->c0 : p->columns / width * width, first, end,
                          p->panels);
  if (together && !job->alone) gc_sync(job->self);
}

/* Packs the rows of a band of tiles; tiles beside each other share them. */
GC_NOINLINE void gc_pack_left(gc_gemm_state *job, long start, long end) {
  const gc_gemm *const p = job->p;
  const gc_tiling *const tiling = p->tiling;
  const long apart = p->most_depth * tiling->tile_rows;
  job->packed_band = start;
  if (tiling->address_rows || tiling->pack_left) {
    for (long group = start; group < end; ++group) {
      gc_part part = {.item = job->block.item, .high = GC_MIN(tiling->tile_rows, p->rows)};
      gc_place_lines(job, group, &part);
      if (tiling->address_rows)
        tiling->address_rows(p->args, &job->block, &part, p->addresses + (group - start) * tiling->tile_rows);
      else
        tiling->pack_left(p->args, &job->block, &part, p->packed + (group - start) * apart * tiling->size);
    }
    return;
  }
  /* A factor that lies evenly in memory is packed in the order of memory. */
  const gc_block *const block = &job->block;
  const char *const from = gc_find_left(job, 0);
  if (!tiling->along) {
    tiling->pack(block->outer, block->inner, from, p->left_inner, p->left_outer, p->packed, apart, start, end - start,
                 p->rows);
    return;
  }
  const long bytes = block->inner * tiling->size;
  for (long i = start * tiling->tile_rows; i < end * tiling->tile_rows; ++i)
    for (long o = 0; o < block->outer; ++o) {
      const long m0 = i - i % tiling->tile_rows;
      const long line = GC_MIN(GC_MIN(m0, GC_MAX(p->rows - tiling->tile_rows, 0)) + i - m0, p->rows - 1);
      char *const to = p->packed + (i - start * tiling->tile_rows) * p->most_depth * tiling->size + o * bytes;
      __builtin_memcpy(to, from + (line * p->left_line + o * p->left_outer) * tiling->size, bytes);
    }
}

/* All columns of a single row over this thread's slices of the depth. */
GC_NOINLINE void gc_slice_row(const gc_gemm_state *job, const char *left) {
  const gc_gemm *const p = job->p;
  const gc_tiling *const tiling = p->tiling;
  const gc_block *const block = &job->block;
  const long wide = job->across * tiling->width * tiling->size, slices = tiling->slices;
  const long first = gc_first(slices, 1, job->self, job->threads), end = gc_end(slices, 1, job->self, job->threads);
  for (long slice = first; slice < end; ++slice) {
    const long k0 = block->inner * slice / slices, k1 = block->inner * (slice + 1) / slices;
    tiling->row(1, k1 - k0, left + k0 * p->left_inner * tiling->size, p->left_inner, p->left_outer,
                job->at_right + k0 * p->right_inner * tiling->size, p->right_inner, p->right_outer,
                job->sums + slice * wide, p->columns);
  }
  gc_sync(job->self);
}

/* This thread's columns of a single row; slices of the depth are added up in order, so that results are reproducible. */
GC_NOINLINE void gc_single_row(gc_gemm_state *job, long units) {
  const gc_gemm *const p = job->p;
  const gc_tiling *const tiling = p->tiling;
  const gc_block *const block = &job->block;
  const long n0 = job->c0 + job->first_unit * tiling->width;
  const long count = GC_MIN(GC_MIN(job->c0 + p->column_block, p->columns), job->c0 + units * tiling->width) - n0;
  const char *const left = gc_find_left(job, 0);
  if (tiling->slices_row) {
    gc_slice_row(job, left);
    if (count > 0)
      tiling->add(p->row_sums, job->sums + n0 * tiling->size, job->across * tiling->width, tiling->slices, count);
  } else if (count > 0) {
    tiling->row(block->outer, block->inner, left, p->left_inner, p->left_outer, job->at_right + n0 * tiling->size,
                p->right_inner, p->right_outer, p->row_sums, count);
  }
  for (long n = 0; n < count; n += tiling->width) {
    const gc_part part = {.high = 1, .n0 = n0 + n, .wide = GC_MIN(tiling->width, count - n)};
    tiling->epilogue(p->args, &part, p->row_sums + n * tiling->size);
  }
}

/* Which part of the depth a tile sums over: where the largest value of a limit's sum is not negative. */
GC_FN void gc_limit_depth(const gc_limit *limit, const gc_part *part, long *deep, long *end) {
  long most = limit->offset;
  most += limit->row > 0 ? part->line0 + part->high - 1 : limit->row < 0 ? -part->line0 : 0;
  most += limit->column > 0 ? part->n0 + part->wide - 1 : limit->column < 0 ? -part->n0 : 0;
  if (limit->depth > 0) *deep = GC_MAX(*deep, -most);
  if (limit->depth < 0) *end = GC_MIN(*end, most + 1);
  if (limit->depth == 0 && most < 0) *end = 0;
}

/* Prefetches some rows of as many bytes: they are too short for the processor's prefetcher. */
GC_FN void gc_prefetch_rows(const char *row, long apart, long rows, long bytes) {
  for (; rows > 0; --rows, row += apart)
    for (long at = 0; at < bytes; at += 64) __builtin_prefetch(row + at);
}

/* A tile with fewer rows, one after the other. */
GC_NOINLINE void gc_lines(const gc_gemm_state *job, const gc_steps *steps, const char *left, const char *right,
                          char *tile, long high) {
  const gc_tiling *const tiling = job->p->tiling;
  const long line = steps->m * tiling->size;
  const _Bool has_addresses = !job->left && tiling->address_rows;
  for (long i = 0; i < high; ++i)
    tiling->line_microkernel(steps, has_addresses ? ((const char *const *)left)[i] + line : left + i * line, right,
                             tile + i * tiling->width * tiling->size);
}

/* A sequence of whole tiles, in a row or in a column, or one tile that is not whole: the steps from each to the next. */
typedef struct {
  long count, left, right, sums, line, column;
} gc_sequence;

/* The sequence of tiles that begins at a position: below each other in a band, else beside each other. */
GC_FN gc_sequence gc_sequence_from(const gc_gemm_state *job, const gc_place *at, const gc_part *part, long most) {
  const gc_gemm *const p = job->p;
  const long rows = p->tiling->tile_rows, width = p->tiling->width;
  gc_sequence sequence = {.count = 1};
  if (part->skip > 0 || part->wide < width || part->high < rows) return sequence;
  if (job->band > 1) {
    const long whole = p->rows / rows - (at->group - part->outside * job->tall);
    sequence.count = GC_MIN(GC_MIN(most, at->end - at->group), whole), sequence.line = rows;
  } else {
    const long end = GC_MIN(job->c0 + p->column_block, p->columns);
    sequence.count = GC_MIN(most, (end - part->n0) / width), sequence.column = width;
  }
  return sequence;
}

/* Some tiles, over one block of the depth, and the epilogue after the last block. */
GC_NOINLINE void gc_some_tiles(gc_gemm_state *job, long first, long end) {
  const gc_gemm *const p = job->p;
  const gc_tiling *const tiling = p->tiling;
  const gc_block *const block = &job->block;
  const long size = tiling->size, width = tiling->width, rows = tiling->tile_rows, inner = block->inner;
  const _Bool is_packed = job->left, has_addresses = !is_packed && tiling->address_rows;
  const _Bool is_last = block->end == job->to && tiling->sharing != GC_SLICES, prefetches = is_last && p->prefetches;
  const long limited = tiling->limited, tile_bytes = rows * width * size;
  gc_steps steps = {block->outer, inner, p->left_line, p->left_inner, p->left_outer, p->right_inner, p->right_outer};
  steps.add = block->begin > job->from;
  if (is_packed && tiling->along) steps.m = p->most_depth, steps.k = 1, steps.o = inner;
  if (is_packed && !tiling->along) steps.m = 1, steps.k = rows, steps.o = inner * rows;
  if (has_addresses) steps.m = block->begin * p->left_block;
  const long line = steps.m * size;
  const char *const band = is_packed ? p->packed : (const char *)p->addresses;
  const long in_band = is_packed       ? p->most_depth * rows * size
                       : has_addresses ? rows * (long)sizeof(void *)
                                       : rows * line;
  const long panel = width * size * (job->right ? p->most_depth : 1);
  /* Sums that several blocks add to are stored for each tile. */
  char own_sums[GC_TILE_BYTES] __attribute__((aligned(64)));
  const _Bool is_stored = !is_last || block->begin > job->from;
  char *const sums = is_stored ? job->sums + job->c0 / width * tile_bytes : 0;
  gc_place at = gc_place_of(first, job->groups, job->beside, job->band);
  for (long unit = first; unit < end;) {
    gc_part part = {.item = block->item, .high = GC_MIN(rows, p->rows)};
    gc_place_lines(job, at.group, &part);
    part.n0 = job->c0 + at.column * width, part.wide = GC_MIN(width, p->columns - part.n0);
    gc_sequence sequence = gc_sequence_from(job, &at, &part, end - unit);
    if ((is_packed || has_addresses) && at.start != job->packed_band) gc_pack_left(job, at.start, at.end);
    const char *left = band + (at.group - at.start) * in_band;
    if (!is_packed && !has_addresses) {
      left = part.outside == job->outside ? job->at_left : gc_find_left(job, part.outside);
      left += part.line0 * line;
    }
    const _Bool is_panel = job->right || part.wide < width;
    const char *right = job->at_right + part.n0 * size;
    if (is_panel) right = p->panels + (job->right ? at.column * panel : 0);
    steps.along = is_panel ? width : p->right_inner, steps.down = is_panel ? inner * width : p->right_outer;
    char *tile = sums ? sums + (at.group * job->across + at.column) * tile_bytes : p->tile ? p->tile : own_sums;
    steps.high = part.high;
    sequence.left = sequence.line > 0 ? in_band : 0, sequence.right = sequence.column > 0 ? panel : 0;
    sequence.sums = !sums ? 0 : sequence.line > 0 ? job->across * tile_bytes : tile_bytes;
    const _Bool prefetches_rows = tiling->prefetches_rows && !is_packed && at.column == 0;
    for (long i = 0; i < sequence.count; ++i) {
      if (prefetches) tiling->prefetch(p->args, &part);
      if (prefetches_rows && i * sequence.column == 0)
        gc_prefetch_rows(left + rows * line, line, GC_MIN(rows, p->rows - part.line0 - rows), inner * size);
      const char *from_left = left, *from_right = right;
      if (limited > 0) {
        long deep = 0, deep_end = inner;
        for (long k = 0; k < limited; ++k) gc_limit_depth(tiling->limits + k, &part, &deep, &deep_end);
        steps.inner = GC_MAX(0, deep_end - deep);
        from_left += deep * steps.k * size, from_right += deep * steps.along * size;
      }
      if (part.high == rows || !tiling->line_microkernel)
        tiling->microkernel(&steps, from_left, from_right, tile);
      else
        gc_lines(job, &steps, from_left, from_right, tile, part.high);
      if (is_last) tiling->epilogue(p->args, &part, tile);
      left += sequence.left, right += sequence.right, tile += sequence.sums;
      part.line0 += sequence.line, part.n0 += sequence.column;
    }
    unit += sequence.count;
    gc_next_place(&at, sequence.count);
  }
}

/* The blocks of columns and of the depth of one product, or of a slice of it. */
GC_NOINLINE void gc_blocks(gc_gemm_state *job) {
  const gc_gemm *const p = job->p;
  const gc_tiling *const tiling = p->tiling;
  gc_block *const block = &job->block;
  job->many = tiling->may_pack && job->groups * tiling->tile_rows >= tiling->many_rows &&
              p->depth > tiling->most_unpacked;
  job->left = tiling->always_packs_left || (tiling->packs_left && job->many);
  job->right = tiling->always_packs_right || job->many;
  job->is_row = tiling->may_be_row && p->rows == 1 && !job->many;
  const long step = tiling->step == 0 ? 1 : tiling->may_be_whole && !job->many ? GC_MAX(1, job->to) : tiling->step;
  for (job->c0 = 0; job->c0 < p->columns; job->c0 += p->column_block) {
    const long c1 = GC_MIN(job->c0 + p->column_block, p->columns);
    job->beside = (c1 - job->c0 + tiling->width - 1) / tiling->width;
    job->by_columns = tiling->may_share_columns && job->threads > 1 && !job->left && p->prefers_columns;
    if (tiling->address_rows) job->by_columns &= job->groups <= tiling->most_addressed;
    /* A thread that has columns reads all rows for each of them: they must stay in its second-level cache. */
    job->by_columns &= tiling->band == 1 || job->groups <= tiling->band;
    job->alone = job->right && job->by_columns && job->beside == job->across && job->across % job->threads == 0;
    job->alone &= !gc_steals(job->self, p->work);
    job->band = job->by_columns ? job->groups : tiling->band;
    const long units = job->groups * job->beside;
    for (block->begin = job->from; block->begin < job->to; block->begin = block->end) {
      block->end = GC_MIN(block->begin + step, job->to);
      block->outer = p->outer, block->inner = p->inner;
      if (tiling->step && tiling->is_flat) block->inner = block->end - block->begin;
      if (tiling->step && !tiling->is_flat) block->outer = block->end - block->begin;
      const long start = tiling->right_at ? tiling->right_at(p->args, block) : 0;
      job->at_right = p->right + (start + block->begin * p->right_block) * tiling->size;
      if (p->panels) gc_pack_right(job, c1);
      job->packed_band = job->outside = -1;
      if (tiling->sharing != GC_TILES) {
        gc_some_tiles(job, 0, units);
        continue;
      }
      job->first_unit = gc_first(units, 1, job->self, job->threads);
      if (job->is_row) {
        gc_single_row(job, gc_end(units, 1, job->self, job->threads));
        continue;
      }
      const _Bool has_barrier = job->right && !job->alone; /* behind packing */
      const _Bool steals = (has_barrier || (tiling->may_steal && !job->right)) && gc_steals(job->self, p->work);
      for (gc_chunks chunks = gc_begin_chunks(units, 1, job->self, job->threads, steals); gc_next_chunk(&chunks);)
        gc_some_tiles(job, chunks.first, chunks.end);
    }
  }
}

/* Adds the slices of a tile up, in order, and runs the epilogue. */
GC_NOINLINE void gc_combine(gc_gemm_state *job, long unit) {
  const gc_gemm *const p = job->p;
  const long width = p->tiling->width, count = p->tiling->tile_rows * width;
  const long slices = GC_MIN(p->tiling->slices, p->blocks);
  const long apart = job->groups * job->across * count;
  char tile[GC_TILE_BYTES] __attribute__((aligned(64)));
  gc_part part = {.high = GC_MIN(p->tiling->tile_rows, p->rows)};
  gc_place_lines(job, unit / job->across, &part);
  part.n0 = unit % job->across * width, part.wide = GC_MIN(width, p->columns - part.n0);
  p->tiling->add(tile, p->sums + unit * count * p->tiling->size, apart, slices, count);
  p->tiling->epilogue(p->args, &part, tile);
}

void gc_run_gemm(const gc_gemm *p, const gc_worker *self) {
  const gc_tiling *const tiling = p->tiling;
  gc_gemm_state job = {.p = p, .self = self, .threads = gc_threads_for(self, p->work), .sums = p->sums, .to = p->blocks};
  job.tall = (p->rows + tiling->tile_rows - 1) / tiling->tile_rows;
  job.across = (p->columns + tiling->width - 1) / tiling->width;
  job.groups = p->outside * job.tall, job.last = GC_MAX(p->rows - tiling->tile_rows, 0);
  if (tiling->sharing == GC_TILES) {
    for (job.block.item = 0; job.block.item < p->items; ++job.block.item) gc_blocks(&job);
    return;
  }
  const long slices = GC_MIN(tiling->slices, p->blocks), total = tiling->sharing == GC_BATCH ? p->items : slices;
  for (gc_chunks chunks = gc_begin_chunks(total, 1, self, job.threads, gc_steals(self, p->work));
       gc_next_chunk(&chunks);)
    for (long i = chunks.first; i < chunks.end; ++i) {
      if (tiling->sharing == GC_BATCH) {
        job.block.item = i;
      } else {
        job.from = p->blocks * i / slices, job.to = p->blocks * (i + 1) / slices;
        job.sums = p->sums + i * job.groups * job.across * tiling->tile_rows * tiling->width * tiling->size;
      }
      gc_blocks(&job);
    }
  if (tiling->sharing == GC_BATCH) return;
  gc_sync(self);
  const long units = job.groups * job.across;
  for (gc_chunks chunks = gc_begin_chunks(units, 1, self, job.threads, gc_steals(self, p->work));
       gc_next_chunk(&chunks);)
    for (long unit = chunks.first; unit < chunks.end; ++unit) gc_combine(&job, unit);
}
