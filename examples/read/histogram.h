/* The part of read.c that reads histograms: one block by the protocols of SPEC.md 10.11, 10.12 and 10.14, all blocks of a
 * series and its revisions into one (14), and what their buckets say about quantiles. */

enum { LIVE_ATTEMPTS = 2, ATTEMPTS = 4 }; /* 10.15: then the histogram is hot, and its latch is better */

struct state { /* one copy of one block */
    uint64_t count, sum, first, end, minimum, maximum, invalid, buckets[SHMETRICS_MAX_BUCKETS];
};
struct compensated { double sum, lost; };

static uint64_t *lanes, lane_count; /* the committed ones */

/* ---- Sums (14) ---- */

static void add(struct compensated *to, double value)
{
    double sum = to->sum + value;
    to->lost += fabs(to->sum) >= fabs(value) ? (to->sum - sum) + value : (value - sum) + to->sum;
    to->sum = sum;
}

/* With an infinite term the compensation is NaN and says nothing. */
static double total(struct compensated of)
{
    return isfinite(of.sum) && isfinite(of.lost) ? of.sum + of.lost : of.sum;
}

/* ---- Histograms (10.11 to 10.15) ----
 *
 * Each function makes one attempt at a block and returns 1 if the copy is accepted. `block` is a byte offset. */

static void copy_buckets(struct state *state, uint64_t from, uint64_t lowest, uint64_t highest, uint64_t count)
{
    state->end = highest < count ? highest : count; /* D-4 */
    state->first = count - (lowest < count ? lowest : count);
    if (state->first > state->end) state->first = state->end;
    for (uint64_t i = state->first; i < state->end; i++) state->buckets[i] = load(from + 8 * i);
}

static uint64_t landed(const struct state *state)
{
    uint64_t sum = 0;
    for (uint64_t i = state->first; i < state->end; i++) sum += state->buckets[i];
    return sum;
}

static void load_extremes(struct state *state, uint64_t block)
{
    state->minimum = load(block + SHMETRICS_BLOCK_MINIMUM_OFFSET);
    state->maximum = load(block + SHMETRICS_BLOCK_MAXIMUM_OFFSET);
    state->invalid = load(block + SHMETRICS_BLOCK_INVALID_OFFSET);
}

static int read_live(struct state *state, uint64_t block, uint64_t incarnation, uint64_t count)
{
    uint64_t before = load(incarnation);                              /* R0 */
    uint64_t begun = load(block + SHMETRICS_BLOCK_COUNT_OFFSET);      /* R1 */
    fence();
    copy_buckets(state, block + 8 * SHMETRICS_BLOCK_BUCKETS, load(block + SHMETRICS_BLOCK_LOWEST_OFFSET),
                 load(block + SHMETRICS_BLOCK_HIGHEST_OFFSET), count); /* R2 */
    fence();
    uint64_t even = load(block + SHMETRICS_BLOCK_SUM_OFFSET), odd = load(block + SHMETRICS_BLOCK_SUM_ODD_OFFSET);
    load_extremes(state, block);                                       /* R3 */
    fence();
    uint64_t again = load(block + SHMETRICS_BLOCK_COUNT_OFFSET);       /* R4 */
    fence();
    int stood_still = load(incarnation) == before;
    state->count = landed(state);
    state->sum = state->count & 1 ? odd : even;
    return begun == again && stood_still && (state->count == begun || state->count == begun - 1);
}

static int read_latch(struct state *state, uint64_t block, uint64_t count)
{
    uint64_t version = load(block + SHMETRICS_BLOCK_LATCH_VERSION_OFFSET);
    fence();
    if (version == 0) return 0;
    uint64_t copy = block + 8 * shmetrics_latch_copy(count, version & 1);
    state->count = load(copy + SHMETRICS_STATE_COUNT_OFFSET);
    state->sum = load(copy + SHMETRICS_STATE_SUM_OFFSET);
    state->minimum = load(copy + SHMETRICS_STATE_MINIMUM_OFFSET);
    state->maximum = load(copy + SHMETRICS_STATE_MAXIMUM_OFFSET);
    state->invalid = load(copy + SHMETRICS_STATE_INVALID_OFFSET);
    copy_buckets(state, copy + SHMETRICS_STATE_LENGTH, load(copy + SHMETRICS_STATE_LOWEST_OFFSET),
                 load(copy + SHMETRICS_STATE_HIGHEST_OFFSET), count);
    fence();
    return load(block + SHMETRICS_BLOCK_LATCH_BEGIN_OFFSET) - version <= 1 && landed(state) == state->count;
}

/* Returns by how much the count of the copy may be off. */
static uint64_t read_lane(struct state *state, uint64_t block, uint64_t incarnation, uint64_t count)
{
    for (int attempt = 0; attempt < LIVE_ATTEMPTS; attempt++)
        if (read_live(state, block, incarnation, count)) return 0;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++)
        if (read_latch(state, block, count)) return 0;
    memset(state, 0, offsetof(struct state, buckets)); /* nothing is known but how many there are */
    uint64_t begun = load(block + SHMETRICS_BLOCK_COUNT_OFFSET);
    return begun ? begun : 1;
}

static uint64_t read_shared(struct state *state, uint64_t block, uint64_t count)
{
    uint64_t off = 0;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        uint64_t finished = load(block + SHMETRICS_BLOCK_SUM_ODD_OFFSET); /* `landed` */
        fence();
        copy_buckets(state, block + 8 * SHMETRICS_BLOCK_BUCKETS, load(block + SHMETRICS_BLOCK_LOWEST_OFFSET),
                     load(block + SHMETRICS_BLOCK_HIGHEST_OFFSET), count);
        state->sum = load(block + SHMETRICS_BLOCK_SUM_OFFSET);
        load_extremes(state, block);
        fence();
        uint64_t begun = load(block + SHMETRICS_BLOCK_COUNT_OFFSET);
        state->count = landed(state);
        /* The buckets are between the two; that they are not is damage. */
        uint64_t open = begun > finished ? begun - finished : finished - begun;
        off = state->count > finished ? state->count - finished : finished - state->count;
        if (open > off) off = open;
        if (off == 0) break;
    }
    return off;
}

/* ---- Merging a histogram and its revisions (14) ---- */

struct histogram {
    uint64_t count, invalid, error, counts[SHMETRICS_MAX_BUCKETS];
    struct shmetrics_buckets buckets;
    struct compensated sum;
    double minimum, maximum; /* NaN = none */
};

/* The sum words of one record over its lanes: one of the two is 0. */
struct lane_sum { unsigned __int128 whole; struct compensated real; };

static void take_up(struct histogram *into, const struct series *series, const struct state *state, struct lane_sum *sum)
{
    int is_classic = series->kind == SHMETRICS_KIND_HISTOGRAM_CLASSIC;
    for (uint64_t i = state->first; i < state->end; i++)
        into->counts[is_classic ? i : shmetrics_target(series->buckets, i, into->buckets)] += state->buckets[i];
    into->count += state->count;
    into->invalid += state->invalid;
    if (series->kind == SHMETRICS_KIND_HISTOGRAM_INTEGER) sum->whole += state->sum;
    else add(&sum->real, shmetrics_double(state->sum));
    if (state->minimum != 0)
        into->minimum = fmin(into->minimum, shmetrics_key_value(series->kind, ~state->minimum) * series->factor);
    if (state->maximum != 0)
        into->maximum = fmax(into->maximum, shmetrics_key_value(series->kind, state->maximum - 1) * series->factor);
}

/* All lanes of one record together: `raw` in its own buckets, all of them. */
static void gather(struct state *raw, double *least, double *most, const struct series *series, const struct state *state,
                   struct lane_sum *sum)
{
    for (uint64_t i = state->first; i < state->end; i++) raw->buckets[i] += state->buckets[i];
    raw->invalid += state->invalid;
    if (series->kind == SHMETRICS_KIND_HISTOGRAM_INTEGER) sum->whole += state->sum;
    else add(&sum->real, shmetrics_double(state->sum));
    if (state->minimum != 0)
        *least = fmin(*least, shmetrics_key_value(series->kind, ~state->minimum) * series->factor);
    if (state->maximum != 0)
        *most = fmax(*most, shmetrics_key_value(series->kind, state->maximum - 1) * series->factor);
}

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Subtracts the baseline of a record that was reset, takes up what is left, and returns its sum (14). */
static double subtract(struct histogram *into, const struct series *series, struct state *raw, double least, double most,
                       const struct lane_sum *sum)
{
    static struct state before;
    const uint64_t *line = series->baseline;
    int is_classic = series->kind == SHMETRICS_KIND_HISTOGRAM_CLASSIC;
    uint64_t count = series->count_of_buckets, counted = 0, error = line[SHMETRICS_RESET_ERROR_OFFSET / 8];
    uint64_t lowest = line[SHMETRICS_RESET_LOWEST_OFFSET / 8], highest = line[SHMETRICS_RESET_HIGHEST_OFFSET / 8];
    uint64_t first = count, last = 0, gained = 0;
    before.end = highest < count ? highest : count; /* D-4 */
    before.first = count - (lowest < count ? lowest : count);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t had = i >= before.first && i < before.end ? line[SHMETRICS_BLOCK_BUCKETS + i] : 0, has = raw->buckets[i];
        counted += had;
        if (had > has) error = saturating_add(error, had - has);
        uint64_t more = has > had ? has - had : 0;
        gained += more;
        if (more == 0) continue;
        if (first == count) first = i;
        last = i;
        into->counts[is_classic ? i : shmetrics_target(series->buckets, i, into->buckets)] += more;
    }
    uint64_t said = line[SHMETRICS_RESET_COUNT_OFFSET / 8], invalid = line[SHMETRICS_RESET_INVALID_OFFSET / 8];
    into->error = saturating_add(into->error, saturating_add(error, said > counted ? said - counted : counted - said));
    into->count += gained;
    into->invalid += raw->invalid > invalid ? raw->invalid - invalid : 0;
    if (gained == 0) return 0;
    double lower, upper; /* of the first and the last bucket that hold something */
    if (is_classic) {
        lower = first ? series->bounds[first - 1] : -INFINITY;
        upper = last + 1 < count ? series->bounds[last] : INFINITY;
    } else {
        lower = shmetrics_lower_bound(series->buckets, first);
        upper = shmetrics_upper_bound(series->buckets, last);
    }
    if (!isnan(least)) into->minimum = fmin(into->minimum, fmax(least, lower));
    if (!isnan(most)) into->maximum = fmax(into->maximum, fmin(most, upper));
    if (series->kind == SHMETRICS_KIND_HISTOGRAM_INTEGER) {
        unsigned __int128 old = (unsigned __int128)line[SHMETRICS_RESET_SUM_HIGH_OFFSET / 8] << 64;
        old += line[SHMETRICS_RESET_SUM_OFFSET / 8];
        return sum->whole > old ? (double)(sum->whole - old) * series->factor : 0;
    }
    double since = total(sum->real) - shmetrics_double(line[SHMETRICS_RESET_SUM_OFFSET / 8]);
    if (!is_classic && !(since > 0)) since = 0;
    return since * series->factor;
}

static void read_histogram(struct histogram *into, struct series *const *members, size_t member_count)
{
    static struct state state, raw;
    memset(into, 0, sizeof *into);
    into->minimum = into->maximum = NAN;
    into->buckets = members[0]->buckets;
    for (size_t i = 1; i < member_count; i++) into->buckets = shmetrics_common(into->buckets, members[i]->buckets);
    for (size_t i = 0; i < member_count; i++) {
        const struct series *series = members[i];
        struct lane_sum sum = {0, {0, 0}};
        double least = NAN, most = NAN;
        if (series->reset_ns) memset(&raw, 0, sizeof raw);
        uint64_t count = series->count_of_buckets, at = series->placement, error;
        for (uint64_t lane = 0; lane <= lane_count; lane++) { /* 0: the shared lane */
            if (lane == 0) {
                error = read_shared(&state, shmetrics_shared_block_address(&g, at), count);
            } else {
                uint64_t number = lanes[lane - 1];
                if (!(load(shmetrics_bitmap_address(&g, number, at)) & shmetrics_bitmap_bit(at))) continue;
                fence(); /* the bit before the block */
                error = read_lane(&state, shmetrics_block_address(&g, number, at),
                                  shmetrics_lane_entry_address(&g, number) + SHMETRICS_LANE_INCARNATION_OFFSET, count);
            }
            into->error = into->error > UINT64_MAX - error ? UINT64_MAX : into->error + error;
            if (series->reset_ns) gather(&raw, &least, &most, series, &state, &sum);
            else take_up(into, series, &state, &sum);
        }
        add(&into->sum, series->reset_ns ? subtract(into, series, &raw, least, most, &sum)
                                         : ((double)sum.whole + total(sum.real)) * series->factor);
    }
}

/* The value of rank q × count, of buckets that grow exponentially. */
static double quantile(const struct histogram *of, double q)
{
    double rank = q * (double)of->count, before = 0, lower = NAN, upper = NAN, fraction = 1;
    for (uint64_t i = 0; i < shmetrics_bucket_count(of->buckets); i++) {
        if (of->counts[i] == 0) continue;
        lower = shmetrics_lower_bound(of->buckets, i);
        upper = shmetrics_upper_bound(of->buckets, i);
        if (before + (double)of->counts[i] >= rank) {
            fraction = fmax(0, fmin(1, (rank - before) / (double)of->counts[i]));
            break;
        }
        before += (double)of->counts[i];
    }
    if (isinf(upper)) return lower;
    if (fraction == 0 || fraction == 1) return fraction == 0 ? lower : upper;
    double value = lower > 0 ? exp2(log2(lower) + (log2(upper) - log2(lower)) * fraction)
                             : lower * (1 - fraction) + upper * fraction;
    return fmin(fmax(value, lower), upper);
}
