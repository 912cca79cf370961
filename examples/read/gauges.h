/* The part of read.c that knows what has a cell per process slot: gauges, time marks, states (SPEC.md 9.4, 10.8, 14). */

/* A set cell of a gauge that counts (10.8); 0 if there is none. */
static int read_gauge(uint64_t slot, uint64_t placement, int is_kept, uint64_t *value, uint64_t *stamp)
{
    int works = slots[slot].alive && shmetrics_slot_state_of(slots[slot].owner) == SHMETRICS_SLOT_ACTIVE;
    if (!slots[slot].committed || !(works || is_kept)) return 0;
    uint64_t cell = shmetrics_gauge_address(&g, slot, placement);
    *stamp = load(cell + SHMETRICS_GAUGE_STAMP_OFFSET);
    fence();
    *value = load(cell + SHMETRICS_GAUGE_VALUE_OFFSET);
    if (*stamp == 0) return 0;
    fence();
    return is_kept || load(shmetrics_process_entry_address(&g, slot) + SHMETRICS_PROCESS_OWNER_OFFSET) == slots[slot].owner;
}

static void print_gauge(struct series *const *members, size_t member_count)
{
    unsigned rule = families[members[0]->family]->merge;
    int is_float = members[0]->kind == SHMETRICS_KIND_GAUGE_F64, is_each = rule == SHMETRICS_MERGE_EACH;
    int is_kept = rule == SHMETRICS_MERGE_MIN || rule == SHMETRICS_MERGE_MAX || rule == SHMETRICS_MERGE_LAST;
    uint64_t value, stamp, chosen = 0, chosen_stamp = 0, count = 0;
    __int128 whole = 0;
    struct compensated real = {0, 0};
    int is_named = 0;
    if (!is_overflow(members, member_count)) { print_name(members[0]); is_named = 1; }
    for (size_t i = 0; i < member_count; i++) {
        for (uint64_t slot = 0; slot < g.process_slots; slot++) {
            if (!read_gauge(slot, members[i]->placement, is_kept, &value, &stamp)) continue;
            double new = shmetrics_double(value), old = shmetrics_double(chosen);
            if (!is_named) { print_name(members[0]); is_named = 1; }
            if (is_each && is_float) printf("%s%" PRIu64 ":%.17g", count ? " " : "", slot, new);
            else if (is_each) printf("%s%" PRIu64 ":%" PRId64, count ? " " : "", slot, (int64_t)value);
            add(&real, new);
            whole += (int64_t)value;
            int replaces = count++ == 0 ||
                (rule == SHMETRICS_MERGE_MIN && (is_float ? new < old || isnan(old) : (int64_t)value < (int64_t)chosen)) ||
                (rule == SHMETRICS_MERGE_MAX && (is_float ? new > old || isnan(old) : (int64_t)value > (int64_t)chosen)) ||
                (rule == SHMETRICS_MERGE_LAST && stamp > chosen_stamp);
            if (replaces) { chosen = value; chosen_stamp = stamp; }
        }
    }
    if (!is_named) return;
    __int128 cut = whole > INT64_MAX ? INT64_MAX : whole < INT64_MIN ? INT64_MIN : whole;
    if (count == 0) printf("none");
    else if (is_each) {}
    else if (rule == SHMETRICS_MERGE_MEAN) printf("%.17g", (is_float ? total(real) : (double)whole) / (double)count);
    else if (is_float) printf("%.17g", is_kept ? shmetrics_double(chosen) : total(real));
    else printf("%" PRId64, is_kept ? (int64_t)chosen : (int64_t)cut);
    putchar('\n');
}

/* The earliest or latest time of all processes that ever were; of a latest one that is older than its reset none. */
static void print_time_mark(struct series *const *members, size_t member_count)
{
    int is_first = families[members[0]->family]->merge == SHMETRICS_MERGE_MIN;
    uint64_t time, stamp, chosen = 0;
    for (size_t i = 0; i < member_count; i++) {
        for (uint64_t slot = 0; slot < g.process_slots; slot++) {
            if (!read_gauge(slot, members[i]->placement, 1, &time, &stamp) || time < members[i]->reset_ns || time == 0) continue;
            if (chosen == 0 || (is_first ? time < chosen : time > chosen)) chosen = time;
        }
    }
    if (chosen == 0 && is_overflow(members, member_count)) return;
    print_name(members[0]);
    if (chosen) printf("%" PRIu64 "\n", chosen);
    else printf("none\n");
}

enum { STATUS_SHIFT = 56 }; /* 9.4: the status above it, the streak below */

/* The states of the processes that live, each by the statuses that it declared. */
static void print_states(struct series *const *members, size_t member_count)
{
    uint64_t value, stamp, count = 0;
    int is_hidden = is_overflow(members, member_count);
    if (!is_hidden) print_name(members[0]);
    for (size_t i = 0; i < member_count; i++) {
        for (uint64_t slot = 0; slot < g.process_slots; slot++) {
            if (!read_gauge(slot, members[i]->placement, 0, &value, &stamp)) continue;
            if (is_hidden && count == 0) print_name(members[0]);
            uint64_t number = value >> STATUS_SHIFT, streak = value & (((uint64_t)1 << STATUS_SHIFT) - 1);
            struct status status;
            printf("%s%" PRIu64 ":", count++ ? " " : "", slot);
            if (find_status(&members[i]->statuses, number, &status)) {
                putchar('"');
                print_text(status.name, status.length);
                putchar('"');
            } else {
                printf("%" PRIu64, number);
                status.unhealthy_from = -1;
            }
            int is_unhealthy = status.unhealthy_from >= 0 && streak >= (uint64_t)status.unhealthy_from;
            printf("*%" PRIu64 "%s", streak, is_unhealthy ? "!" : "");
        }
    }
    if (count == 0 && !is_hidden) printf("none");
    if (count > 0 || !is_hidden) putchar('\n');
}
