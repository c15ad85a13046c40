/* The loops of contractions, the same for all:

     for each block of columns, for each block of the depth:          (one of each, unless they are large)
       gather the right factor's panels, where it is not read in place
       for each tile that is this thread's:
         gather the left factor's rows, where it is not read in place
         multiply; with the depth complete, the epilogue */

/* The largest tile that registers hold. */
#define GC_TILE_BYTES (32 * GC_VECTOR_BYTES)

/* Where a tile of a product is: `groups` rows of tiles, `beside` of them in each. Tiles are numbered band by band; in a
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
  const gc_product *p;
  const gc_worker *self;
  /* Tiles below each other for each of `outside`, and in all; beside each other; and the line of the last. */
  long tall, groups, across, last, team;
  /* Whether what may be gathered is, so the left and the right factor, each thread's panels by itself; threads share
     columns; there is a single row, not gathered. */
  _Bool many, left, right, alone, by_columns, is_row;
  gc_block block;
  long from, to;          /* of the depth */
  long c0, beside, band;  /* a block of columns: the first, its tiles beside each other, those that take turns */
  long first_unit;        /* the first of this thread's tiles */
  long gathered, outside; /* of which band the left factor is there, and for which rows `at_left` is right */
  const char *at_left, *at_right;
  char *sums;
} gc_tiling;

/* Which lines a tile has. The last tile is moved back onto lines that are there. */
GC_FN void gc_place_lines(const gc_tiling *job, long group, gc_part *part) {
  part->outside = job->p->outside > 1 ? group / job->tall : 0;
  const long m0 = (group - part->outside * job->tall) * job->p->cut->tile_rows;
  part->line0 = GC_MIN(m0, job->last), part->skip = m0 - part->line0;
}

GC_APART const char *gc_find_left(gc_tiling *job, long outside) {
  const gc_product *const p = job->p;
  const long start = p->cut->left_at ? p->cut->left_at(p->args, &job->block, outside) : 0;
  job->outside = outside, job->at_left = p->left + (start + job->block.turn * p->left_turn) * p->cut->size;
  return job->at_left;
}

/* The panels of a block; where others are read in place, only the last, if it is narrower. Panels lie as far apart in a
   last, less deep block as in the others: a thread that gathers what it alone reads must not write where others still
   read. */
GC_APART void gc_gather_right(const gc_tiling *job, long c1) {
  const gc_product *const p = job->p;
  const long width = p->cut->width;
  if (!job->right && !(c1 == p->columns && p->columns % width)) return;
  const _Bool together = p->cut->sharing == GC_TEAM;
  const long count = job->right ? job->beside : 1;
  const long first = together ? gc_first(count, 1, job->self, job->team) : 0;
  const long end = together ? gc_end(count, 1, job->self, job->team) : count;
  if (together && !job->alone) gc_sync(job->self);
  if (first < end)
    p->cut->gather_right(p->args, &job->block, job->right ? job->c0 : p->columns / width * width, first, end, p->panels);
  if (together && !job->alone) gc_sync(job->self);
}

/* The lines of a band of tiles; tiles beside each other share them. */
GC_APART void gc_gather_left(gc_tiling *job, long start, long end) {
  const gc_product *const p = job->p;
  const gc_cut *const cut = p->cut;
  const long apart = p->most_depth * cut->tile_rows;
  job->gathered = start;
  if (cut->find_rows || cut->gather_left) {
    for (long group = start; group < end; ++group) {
      gc_part part = {.item = job->block.item, .high = GC_MIN(cut->tile_rows, p->rows)};
      gc_place_lines(job, group, &part);
      if (cut->find_rows)
        cut->find_rows(p->args, &job->block, &part, p->places + (group - start) * cut->tile_rows);
      else
        cut->gather_left(p->args, &job->block, &part, p->packed + (group - start) * apart * cut->size);
    }
    return;
  }
  /* A factor that lies evenly in memory, in the order of memory. */
  const gc_block *const block = &job->block;
  const char *const from = gc_find_left(job, 0);
  if (!cut->along) {
    cut->pack(block->outer, block->inner, from, p->left_inner, p->left_outer, p->packed, apart, start, end - start, p->rows);
    return;
  }
  const long bytes = block->inner * cut->size;
  for (long i = start * cut->tile_rows; i < end * cut->tile_rows; ++i)
    for (long o = 0; o < block->outer; ++o) {
      const long m0 = i - i % cut->tile_rows;
      const long line = GC_MIN(GC_MIN(m0, GC_MAX(p->rows - cut->tile_rows, 0)) + i - m0, p->rows - 1);
      char *const to = p->packed + (i - start * cut->tile_rows) * p->most_depth * cut->size + o * bytes;
      __builtin_memcpy(to, from + (line * p->left_line + o * p->left_outer) * cut->size, bytes);
    }
}

/* All columns of a single row over this thread's slices of the depth. */
GC_APART void gc_slice_row(const gc_tiling *job, const char *left) {
  const gc_product *const p = job->p;
  const gc_cut *const cut = p->cut;
  const gc_block *const block = &job->block;
  const long wide = job->across * cut->width * cut->size, slices = cut->slices;
  const long first = gc_first(slices, 1, job->self, job->team), end = gc_end(slices, 1, job->self, job->team);
  for (long slice = first; slice < end; ++slice) {
    const long k0 = block->inner * slice / slices, k1 = block->inner * (slice + 1) / slices;
    cut->row(1, k1 - k0, left + k0 * p->left_inner * cut->size, p->left_inner, p->left_outer,
             job->at_right + k0 * p->right_inner * cut->size, p->right_inner, p->right_outer, job->sums + slice * wide,
             p->columns);
  }
  gc_sync(job->self);
}

/* This thread's columns of a single row; slices of the depth are added up in order, so that bits are the same. */
GC_APART void gc_single_row(gc_tiling *job, long units) {
  const gc_product *const p = job->p;
  const gc_cut *const cut = p->cut;
  const gc_block *const block = &job->block;
  const long n0 = job->c0 + job->first_unit * cut->width;
  const long count = GC_MIN(GC_MIN(job->c0 + p->column_block, p->columns), job->c0 + units * cut->width) - n0;
  const char *const left = gc_find_left(job, 0);
  if (cut->slices_row) {
    gc_slice_row(job, left);
    if (count > 0) cut->add(p->row_sums, job->sums + n0 * cut->size, job->across * cut->width, cut->slices, count);
  } else if (count > 0) {
    cut->row(block->outer, block->inner, left, p->left_inner, p->left_outer, job->at_right + n0 * cut->size,
             p->right_inner, p->right_outer, p->row_sums, count);
  }
  for (long n = 0; n < count; n += cut->width) {
    const gc_part part = {.high = 1, .n0 = n0 + n, .wide = GC_MIN(cut->width, count - n)};
    cut->epilogue(p->args, &part, p->row_sums + n * cut->size);
  }
}

/* Which part of the depth counts in a tile: where the largest value of a limit's sum is not negative. */
GC_FN void gc_limit_depth(const gc_limit *limit, const gc_part *part, long *deep, long *end) {
  long most = limit->offset;
  most += limit->row > 0 ? part->line0 + part->high - 1 : limit->row < 0 ? -part->line0 : 0;
  most += limit->column > 0 ? part->n0 + part->wide - 1 : limit->column < 0 ? -part->n0 : 0;
  if (limit->depth > 0) *deep = GC_MAX(*deep, -most);
  if (limit->depth < 0) *end = GC_MIN(*end, most + 1);
  if (limit->depth == 0 && most < 0) *end = 0;
}

/* Asks for some rows of as many bytes: they are too short for processors to foresee the next ones. */
GC_FN void gc_ask_for_rows(const char *row, long apart, long rows, long bytes) {
  for (; rows > 0; --rows, row += apart)
    for (long at = 0; at < bytes; at += 64) __builtin_prefetch(row + at);
}

/* A tile with fewer rows, one after the other. */
GC_APART void gc_lines(const gc_tiling *job, const gc_steps *steps, const char *left, const char *right, char *tile,
                       long high) {
  const gc_cut *const cut = job->p->cut;
  const long line = steps->m * cut->size;
  const _Bool is_found = !job->left && cut->find_rows;
  for (long i = 0; i < high; ++i)
    cut->line(steps, is_found ? ((const char *const *)left)[i] + line : left + i * line, right,
              tile + i * cut->width * cut->size);
}

/* Tiles of which all are whole, in a row or in a column, or one that is not: what changes from each to the next. */
typedef struct {
  long count, left, right, sums, line, column;
} gc_run;

/* How many tiles from a place on are alike: below each other in a band, else beside each other. */
GC_FN gc_run gc_run_from(const gc_tiling *job, const gc_place *at, const gc_part *part, long most) {
  const gc_product *const p = job->p;
  const long rows = p->cut->tile_rows, width = p->cut->width;
  gc_run run = {.count = 1};
  if (part->skip > 0 || part->wide < width || part->high < rows) return run;
  if (job->band > 1) {
    const long whole = p->rows / rows - (at->group - part->outside * job->tall);
    run.count = GC_MIN(GC_MIN(most, at->end - at->group), whole), run.line = rows;
  } else {
    const long end = GC_MIN(job->c0 + p->column_block, p->columns);
    run.count = GC_MIN(most, (end - part->n0) / width), run.column = width;
  }
  return run;
}

/* Some tiles, over one block of the depth, and what follows if that is the last. */
GC_APART void gc_some_tiles(gc_tiling *job, long first, long end) {
  const gc_product *const p = job->p;
  const gc_cut *const cut = p->cut;
  const gc_block *const block = &job->block;
  const long size = cut->size, width = cut->width, rows = cut->tile_rows, inner = block->inner;
  const _Bool is_packed = job->left, is_found = !is_packed && cut->find_rows;
  const _Bool is_last = block->end == job->to && cut->sharing != GC_SLICES, asks = is_last && p->asks;
  const long limited = cut->limited, tile_bytes = rows * width * size;
  gc_steps steps = {block->outer, inner, p->left_line, p->left_inner, p->left_outer, p->right_inner, p->right_outer};
  steps.add = block->turn > job->from;
  if (is_packed && cut->along) steps.m = p->most_depth, steps.k = 1, steps.o = inner;
  if (is_packed && !cut->along) steps.m = 1, steps.k = rows, steps.o = inner * rows;
  if (is_found) steps.m = block->turn * p->left_turn;
  const long line = steps.m * size;
  const char *const band = is_packed ? p->packed : (const char *)p->places;
  const long in_band = is_packed ? p->most_depth * rows * size : is_found ? rows * (long)sizeof(void *) : rows * line;
  const long panel = width * size * (job->right ? p->most_depth : 1);
  /* Sums of several blocks have places of their own. */
  char own[GC_TILE_BYTES] __attribute__((aligned(64)));
  const _Bool is_kept = !is_last || block->turn > job->from;
  char *const sums = is_kept ? job->sums + job->c0 / width * tile_bytes : 0;
  gc_place at = gc_place_of(first, job->groups, job->beside, job->band);
  for (long unit = first; unit < end;) {
    gc_part part = {.item = block->item, .high = GC_MIN(rows, p->rows)};
    gc_place_lines(job, at.group, &part);
    part.n0 = job->c0 + at.column * width, part.wide = GC_MIN(width, p->columns - part.n0);
    gc_run run = gc_run_from(job, &at, &part, end - unit);
    if ((is_packed || is_found) && at.start != job->gathered) gc_gather_left(job, at.start, at.end);
    const char *left = band + (at.group - at.start) * in_band;
    if (!is_packed && !is_found) {
      left = part.outside == job->outside ? job->at_left : gc_find_left(job, part.outside);
      left += part.line0 * line;
    }
    const _Bool is_panel = job->right || part.wide < width;
    const char *right = job->at_right + part.n0 * size;
    if (is_panel) right = p->panels + (job->right ? at.column * panel : 0);
    steps.along = is_panel ? width : p->right_inner, steps.down = is_panel ? inner * width : p->right_outer;
    char *tile = sums ? sums + (at.group * job->across + at.column) * tile_bytes : p->tile ? p->tile : own;
    steps.high = part.high;
    run.left = run.line > 0 ? in_band : 0, run.right = run.column > 0 ? panel : 0;
    run.sums = !sums ? 0 : run.line > 0 ? job->across * tile_bytes : tile_bytes;
    const _Bool asks_for_rows = cut->asks_for_rows && !is_packed && at.column == 0;
    for (long i = 0; i < run.count; ++i) {
      if (asks) cut->ask(p->args, &part);
      if (asks_for_rows && i * run.column == 0)
        gc_ask_for_rows(left + rows * line, line, GC_MIN(rows, p->rows - part.line0 - rows), inner * size);
      const char *from_left = left, *from_right = right;
      if (limited > 0) {
        long deep = 0, deep_end = inner;
        for (long k = 0; k < limited; ++k) gc_limit_depth(cut->limits + k, &part, &deep, &deep_end);
        steps.inner = GC_MAX(0, deep_end - deep);
        from_left += deep * steps.k * size, from_right += deep * steps.along * size;
      }
      if (part.high == rows || !cut->line)
        cut->tile(&steps, from_left, from_right, tile);
      else
        gc_lines(job, &steps, from_left, from_right, tile, part.high);
      if (is_last) cut->epilogue(p->args, &part, tile);
      left += run.left, right += run.right, tile += run.sums, part.line0 += run.line, part.n0 += run.column;
    }
    unit += run.count;
    gc_next_place(&at, run.count);
  }
}

/* The blocks of columns and of the depth of one product, or of a slice of it. */
GC_APART void gc_blocks(gc_tiling *job) {
  const gc_product *const p = job->p;
  const gc_cut *const cut = p->cut;
  gc_block *const block = &job->block;
  job->many = cut->may_gather && job->groups * cut->tile_rows >= cut->many_rows && p->depth > cut->most_ungathered;
  job->left = cut->gathers_left || (cut->packs_left && job->many), job->right = cut->gathers_right || job->many;
  job->is_row = cut->may_be_row && p->rows == 1 && !job->many;
  const long step = cut->step == 0 ? 1 : cut->may_be_whole && !job->many ? GC_MAX(1, job->to) : cut->step;
  for (job->c0 = 0; job->c0 < p->columns; job->c0 += p->column_block) {
    const long c1 = GC_MIN(job->c0 + p->column_block, p->columns);
    job->beside = (c1 - job->c0 + cut->width - 1) / cut->width;
    job->by_columns = cut->may_share_columns && job->team > 1 && !job->left && p->prefers_columns;
    if (cut->find_rows) job->by_columns &= job->groups <= cut->most_found;
    /* Who has columns goes over all lines for each of them: they must stay in its second cache. */
    job->by_columns &= cut->band == 1 || job->groups <= cut->band;
    job->alone = job->right && job->by_columns && job->beside == job->across && job->across % job->team == 0;
    job->alone &= !gc_helps(job->self, p->work);
    job->band = job->by_columns ? job->groups : cut->band;
    const long units = job->groups * job->beside;
    for (block->turn = job->from; block->turn < job->to; block->turn = block->end) {
      block->end = GC_MIN(block->turn + step, job->to);
      block->outer = p->outer, block->inner = p->inner;
      if (cut->step && cut->is_flat) block->inner = block->end - block->turn;
      if (cut->step && !cut->is_flat) block->outer = block->end - block->turn;
      const long start = cut->right_at ? cut->right_at(p->args, block) : 0;
      job->at_right = p->right + (start + block->turn * p->right_turn) * cut->size;
      if (p->panels) gc_gather_right(job, c1);
      job->gathered = job->outside = -1;
      if (cut->sharing != GC_TEAM) {
        gc_some_tiles(job, 0, units);
        continue;
      }
      job->first_unit = gc_first(units, 1, job->self, job->team);
      if (job->is_row) {
        gc_single_row(job, gc_end(units, 1, job->self, job->team));
        continue;
      }
      const _Bool meets = job->right && !job->alone; /* where panels are gathered */
      const _Bool helps = (meets || (cut->may_help && !job->right)) && gc_helps(job->self, p->work);
      for (gc_way way = gc_begin(units, 1, job->self, job->team, helps); gc_take(&way);)
        gc_some_tiles(job, way.first, way.end);
    }
  }
}

/* Adds the slices of a tile up, in order, and runs the epilogue. */
GC_APART void gc_combine(gc_tiling *job, long unit) {
  const gc_product *const p = job->p;
  const long width = p->cut->width, count = p->cut->tile_rows * width, slices = GC_MIN(p->cut->slices, p->blocks);
  const long apart = job->groups * job->across * count;
  char tile[GC_TILE_BYTES] __attribute__((aligned(64)));
  gc_part part = {.high = GC_MIN(p->cut->tile_rows, p->rows)};
  gc_place_lines(job, unit / job->across, &part);
  part.n0 = unit % job->across * width, part.wide = GC_MIN(width, p->columns - part.n0);
  p->cut->add(tile, p->sums + unit * count * p->cut->size, apart, slices, count);
  p->cut->epilogue(p->args, &part, tile);
}

void gc_multiply(const gc_product *p, const gc_worker *self) {
  const gc_cut *const cut = p->cut;
  gc_tiling job = {.p = p, .self = self, .team = gc_team(self, p->work), .sums = p->sums, .to = p->blocks};
  job.tall = (p->rows + cut->tile_rows - 1) / cut->tile_rows, job.across = (p->columns + cut->width - 1) / cut->width;
  job.groups = p->outside * job.tall, job.last = GC_MAX(p->rows - cut->tile_rows, 0);
  if (cut->sharing == GC_TEAM) {
    for (job.block.item = 0; job.block.item < p->items; ++job.block.item) gc_blocks(&job);
    return;
  }
  const long slices = GC_MIN(cut->slices, p->blocks), total = cut->sharing == GC_BATCH ? p->items : slices;
  for (gc_way way = gc_begin(total, 1, self, job.team, gc_helps(self, p->work)); gc_take(&way);)
    for (long i = way.first; i < way.end; ++i) {
      if (cut->sharing == GC_BATCH) {
        job.block.item = i;
      } else {
        job.from = p->blocks * i / slices, job.to = p->blocks * (i + 1) / slices;
        job.sums = p->sums + i * job.groups * job.across * cut->tile_rows * cut->width * cut->size;
      }
      gc_blocks(&job);
    }
  if (cut->sharing == GC_BATCH) return;
  gc_sync(self);
  const long units = job.groups * job.across;
  for (gc_way way = gc_begin(units, 1, self, job.team, gc_helps(self, p->work)); gc_take(&way);)
    for (long unit = way.first; unit < way.end; ++unit) gc_combine(&job, unit);
}
