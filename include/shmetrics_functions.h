/* The formulas of the shmetrics segment format, for C11 and C++17: addresses, hashes, shapes, bucket bounds, what packed words say.
 *
 * Written by hand, and held against the reference implementation by tests/c_header. Included by shmetrics_layout.h, whose constants
 * it uses; include that one. Numbers in brackets are sections of SPEC.md. Nothing here touches shared memory: all arguments are
 * copies. */
#ifndef SHMETRICS_FUNCTIONS_H
#define SHMETRICS_FUNCTIONS_H

#include "shmetrics_layout.h"

/* ---- Arithmetic and hashes [2, 6.4] ---- */

/* The least multiple of `to`, a power of two, that is not below `value`. */
static inline uint64_t shmetrics_round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) & ~(to - 1);
}

/* FNV-1a over bytes; begin with SHMETRICS_FNV_BASIS. */
static inline uint64_t shmetrics_fnv_bytes(uint64_t hash, const void *bytes, size_t length)
{
    const unsigned char *byte = (const unsigned char *)bytes;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ byte[i]) * SHMETRICS_FNV_PRIME;
    return hash;
}

/* A word is taken up lowest byte first, on every machine. */
static inline uint64_t shmetrics_fnv_word(uint64_t hash, uint64_t word)
{
    for (int i = 0; i < 8; i++)
        hash = (hash ^ (word >> 8 * i & 0xff)) * SHMETRICS_FNV_PRIME;
    return hash;
}

/* FNV-1a over `count` words of a private copy. */
static inline uint64_t shmetrics_fnv_words(const void *words, size_t count)
{
    uint64_t hash = SHMETRICS_FNV_BASIS;
    for (size_t i = 0; i < count; i++) {
        uint64_t word;
        memcpy(&word, (const unsigned char *)words + 8 * i, sizeof word);
        hash = shmetrics_fnv_word(hash, word);
    }
    return hash;
}

/* What the checksum of a copied header must be: words 0 to 62 (SPEC 6.4). */
static inline uint64_t shmetrics_header_checksum(const struct shmetrics_header *header)
{
    return shmetrics_fnv_words(header, SHMETRICS_HEADER_CHECKSUM_OFFSET / 8);
}

/* What the checksum of a copied record must be: the nine words 0x10 to 0x50 (SPEC 7.3). */
static inline uint64_t shmetrics_record_checksum(const struct shmetrics_record *record)
{
    return shmetrics_fnv_words(&record->shape,
                               (SHMETRICS_RECORD_CHECKSUM_OFFSET - SHMETRICS_RECORD_SHAPE_OFFSET) / 8);
}

/* Hash of a family's key: its name (SPEC 7.2). */
static inline uint64_t shmetrics_family_hash(const void *name, size_t length)
{
    const unsigned char type = SHMETRICS_TYPE_FAMILY;
    uint64_t hash = shmetrics_fnv_bytes(SHMETRICS_FNV_BASIS, &type, 1);
    hash = shmetrics_fnv_bytes(hash, name, length);
    return hash ? hash : 1;
}

/* Hash of a series' key: the number of its family's record, and its encoded labels (SPEC 7.2, 7.4). */
static inline uint64_t shmetrics_series_hash(uint64_t family, const void *labels, size_t length)
{
    const unsigned char type = SHMETRICS_TYPE_SERIES;
    uint64_t hash = shmetrics_fnv_bytes(SHMETRICS_FNV_BASIS, &type, 1);
    hash = shmetrics_fnv_word(hash, family);
    hash = shmetrics_fnv_bytes(hash, labels, length);
    return hash ? hash : 1;
}

/* ---- Geometry (SPEC 6.1, 6.3) ----
 *
 * A geometry is a struct shmetrics_header: the capacities that somebody chose, and the derived words. A reader copies the header
 * once and takes nothing from it before (a) shmetrics_capacity_out_of_range() returned NULL for the copy and (b) all words of the
 * copy equal those of a second copy after shmetrics_derive(): rules V-8 and V-9 of SPEC 12.1. */

/* Entries of the error log; version 1 has none, and its word is reserved. */
static inline uint64_t shmetrics_errors(const struct shmetrics_header *header)
{
    return header->version < SHMETRICS_ERROR_LOG_VERSION ? 0 : header->errors;
}

/* Reset tables: 2 or 0; version 1 has none, and its word is reserved. */
static inline uint64_t shmetrics_reset_tables(const struct shmetrics_header *header)
{
    return header->version < SHMETRICS_ERROR_LOG_VERSION ? 0 : header->reset_tables;
}

/* V-8 but for the file's length: the name of the first capacity that is out of its range, or NULL. */
static inline const char *shmetrics_capacity_out_of_range(const struct shmetrics_header *header)
{
    if (header->process_slots < 1 || header->process_slots > SHMETRICS_MAX_PROCESS_SLOTS)
        return "process_slots";
    if (header->lanes < 1 || header->lanes > SHMETRICS_MAX_LANES)
        return "lanes";
    if (header->series < 1 || header->series > SHMETRICS_MAX_RECORDS / 2)
        return "series";
    if (header->text_length < SHMETRICS_MIN_TEXT_LENGTH || header->text_length > SHMETRICS_MAX_TEXT_LENGTH)
        return "text_length";
    if (header->counters < 1 || header->counters > SHMETRICS_MAX_RECORDS)
        return "counters";
    if (header->gauges < 1 || header->gauges > SHMETRICS_MAX_RECORDS)
        return "gauges";
    if (header->blocks_length < SHMETRICS_MIN_BLOCKS_LENGTH || header->blocks_length > SHMETRICS_MAX_BLOCKS_LENGTH)
        return "blocks_length";
    if (shmetrics_errors(header) > SHMETRICS_MAX_ERRORS)
        return "errors";
    if (shmetrics_reset_tables(header) == 1 || shmetrics_reset_tables(header) > SHMETRICS_MAX_RESET_TABLES)
        return "reset_tables";
    if (header->epoch_length_ns < SHMETRICS_MIN_EPOCH_LENGTH_NS ||
        header->epoch_length_ns > SHMETRICS_MAX_EPOCH_LENGTH_NS)
        return "epoch_length_ns";
    if (header->budget > SHMETRICS_MAX_FILE_LENGTH)
        return "budget";
    return NULL;
}

/* Words of the bitmap at the start of a lane; not stored in the file. */
static inline uint64_t shmetrics_bitmap_words(const struct shmetrics_header *header)
{
    uint64_t granules = (header->blocks_length + SHMETRICS_BLOCK_GRANULE_LENGTH - 1) / SHMETRICS_BLOCK_GRANULE_LENGTH;
    return shmetrics_round_up((granules + 63) / 64, SHMETRICS_LINE_LENGTH / 8);
}

/* From the start of a reset table to its counters, and to its blocks; not stored in the file. */
static inline uint64_t shmetrics_reset_counters(const struct shmetrics_header *header)
{
    return shmetrics_round_up(8 * 2 * header->series, 4096);
}

static inline uint64_t shmetrics_reset_blocks(const struct shmetrics_header *header)
{
    return shmetrics_round_up(shmetrics_reset_counters(header) + 8 * header->counters, 4096);
}

/* Fills in the words that follow from the version and the capacities, which must be in range: then nothing overflows. Of version 1
 * errors_region, resets_region and reset_stride are reserved, and left as they are. The file's length is the last; V-8 asks that it is at most SHMETRICS_MAX_FILE_LENGTH. */
static inline void shmetrics_derive(struct shmetrics_header *header)
{
    header->header_length = SHMETRICS_HEADER_LENGTH;
    header->records = 2 * header->series;
    header->index_entries = 1;
    while (header->index_entries < 2 * header->records)
        header->index_entries *= 2;
    header->index_region = SHMETRICS_HEADER_LENGTH;
    header->records_region =
        shmetrics_round_up(header->index_region + 8 * header->index_entries, SHMETRICS_LINE_LENGTH);
    header->text_region = header->records_region + SHMETRICS_RECORD_LENGTH * header->records;
    header->process_directory_region =
        shmetrics_round_up(header->text_region + header->text_length, SHMETRICS_LINE_LENGTH);
    header->lane_directory_region =
        header->process_directory_region + SHMETRICS_PROCESS_ENTRY_LENGTH * header->process_slots;
    uint64_t errors_region = header->lane_directory_region + SHMETRICS_LANE_ENTRY_LENGTH * header->lanes;
    if (header->version >= SHMETRICS_ERROR_LOG_VERSION)
        header->errors_region = errors_region;
    header->slots_region = shmetrics_round_up(
        errors_region + SHMETRICS_ERROR_ENTRY_LENGTH * shmetrics_errors(header), SHMETRICS_REGION_ALIGNMENT);
    header->slot_stride =
        shmetrics_round_up(SHMETRICS_GAUGE_CELL_LENGTH * header->gauges, SHMETRICS_REGION_ALIGNMENT);
    header->shared_counters_region = header->slots_region + header->process_slots * header->slot_stride;
    header->shared_blocks_region = shmetrics_round_up(
        header->shared_counters_region + SHMETRICS_LINE_LENGTH * header->counters, SHMETRICS_REGION_ALIGNMENT);
    header->lanes_region =
        shmetrics_round_up(header->shared_blocks_region + header->blocks_length, SHMETRICS_REGION_ALIGNMENT);
    header->lane_counters = 8 * shmetrics_bitmap_words(header);
    header->lane_baseline = shmetrics_round_up(header->lane_counters + 8 * header->counters, 4096);
    header->lane_blocks = shmetrics_round_up(header->lane_baseline + 8 * header->counters, 4096);
    header->lane_stride =
        shmetrics_round_up(header->lane_blocks + header->blocks_length, SHMETRICS_REGION_ALIGNMENT);
    uint64_t resets_region = header->lanes_region + header->lanes * header->lane_stride;
    uint64_t reset_stride =
        shmetrics_round_up(shmetrics_reset_blocks(header) + header->blocks_length, SHMETRICS_REGION_ALIGNMENT);
    if (header->version >= SHMETRICS_ERROR_LOG_VERSION) {
        header->resets_region = resets_region;
        header->reset_stride = reset_stride;
    }
    header->file_length = resets_region + shmetrics_reset_tables(header) * reset_stride;
}

/* Addresses, in bytes from the start of the file. `number` (of a record) and `lane` count from 1, `slot` from 0. `placement` is
 * the cell word of the record minus 1: an index for counters and gauges, bytes for blocks. */

static inline uint64_t shmetrics_record_address(const struct shmetrics_header *header, uint64_t number)
{
    return header->records_region + SHMETRICS_RECORD_LENGTH * (number - 1);
}

static inline uint64_t shmetrics_process_entry_address(const struct shmetrics_header *header, uint64_t slot)
{
    return header->process_directory_region + SHMETRICS_PROCESS_ENTRY_LENGTH * slot;
}

static inline uint64_t shmetrics_lane_entry_address(const struct shmetrics_header *header, uint64_t lane)
{
    return header->lane_directory_region + SHMETRICS_LANE_ENTRY_LENGTH * (lane - 1);
}

/* `entry` counts from 0; only of a header with a version that has an error log. */
static inline uint64_t shmetrics_error_entry_address(const struct shmetrics_header *header, uint64_t entry)
{
    return header->errors_region + SHMETRICS_ERROR_ENTRY_LENGTH * entry;
}

static inline uint64_t shmetrics_gauge_address(const struct shmetrics_header *header, uint64_t slot, uint64_t placement)
{
    return header->slots_region + slot * header->slot_stride + SHMETRICS_GAUGE_CELL_LENGTH * placement;
}

static inline uint64_t shmetrics_shared_counter_address(const struct shmetrics_header *header, uint64_t placement)
{
    return header->shared_counters_region + SHMETRICS_LINE_LENGTH * placement;
}

static inline uint64_t shmetrics_shared_block_address(const struct shmetrics_header *header, uint64_t placement)
{
    return header->shared_blocks_region + placement;
}

static inline uint64_t shmetrics_lane_address(const struct shmetrics_header *header, uint64_t lane)
{
    return header->lanes_region + (lane - 1) * header->lane_stride;
}

/* The word of the lane's bitmap whose bit shmetrics_bitmap_bit() says whether the block there is committed (SPEC 9.6). */
static inline uint64_t shmetrics_bitmap_address(const struct shmetrics_header *header, uint64_t lane, uint64_t placement)
{
    return shmetrics_lane_address(header, lane) + 8 * (placement / SHMETRICS_BLOCK_GRANULE_LENGTH / 64);
}

static inline uint64_t shmetrics_bitmap_bit(uint64_t placement)
{
    return UINT64_C(1) << placement / SHMETRICS_BLOCK_GRANULE_LENGTH % 64;
}

static inline uint64_t shmetrics_counter_address(const struct shmetrics_header *header, uint64_t lane, uint64_t placement)
{
    return shmetrics_lane_address(header, lane) + header->lane_counters + 8 * placement;
}

static inline uint64_t shmetrics_baseline_address(const struct shmetrics_header *header, uint64_t lane, uint64_t placement)
{
    return shmetrics_lane_address(header, lane) + header->lane_baseline + 8 * placement;
}

static inline uint64_t shmetrics_block_address(const struct shmetrics_header *header, uint64_t lane, uint64_t placement)
{
    return shmetrics_lane_address(header, lane) + header->lane_blocks + placement;
}

/* Of a header whose reset_tables are 2. `table` is the number of resets & 1. A table begins with a time per record. */
static inline uint64_t shmetrics_reset_time_address(const struct shmetrics_header *header, uint64_t table, uint64_t number)
{
    return header->resets_region + table * header->reset_stride + 8 * (number - 1);
}

static inline uint64_t shmetrics_reset_counter_address(const struct shmetrics_header *header, uint64_t table,
                                                       uint64_t placement)
{
    return header->resets_region + table * header->reset_stride + shmetrics_reset_counters(header) + 8 * placement;
}

static inline uint64_t shmetrics_reset_block_address(const struct shmetrics_header *header, uint64_t table,
                                                     uint64_t placement)
{
    return header->resets_region + table * header->reset_stride + shmetrics_reset_blocks(header) + placement;
}

/* Bytes of a lane that are committed together: bitmap and counters. */
static inline uint64_t shmetrics_lane_front_length(const struct shmetrics_header *header)
{
    return header->lane_counters + 8 * header->counters;
}

/* ---- Packed words ---- */

/* The word `process_owner` (SPEC 9.1). State 3 reads as claiming. */
static inline uint64_t shmetrics_slot_incarnation(uint64_t owner)
{
    return owner >> 2;
}

static inline enum shmetrics_slot_state shmetrics_slot_state_of(uint64_t owner)
{
    return (owner & 3) == 0 ? SHMETRICS_SLOT_FREE : (owner & 3) == 2 ? SHMETRICS_SLOT_ACTIVE : SHMETRICS_SLOT_CLAIMING;
}

/* Owner tags (SPEC 9.2): who has a lane or fills a record. */
static inline uint64_t shmetrics_owner_tag(uint64_t slot, uint64_t incarnation)
{
    return (slot + 1) << 48 | (incarnation & ((UINT64_C(1) << 48) - 1));
}

/* The slot that a tag names; UINT64_MAX if it names none. */
static inline uint64_t shmetrics_tag_slot(const struct shmetrics_header *header, uint64_t tag)
{
    uint64_t number = tag >> 48;
    return number == 0 || number > header->process_slots ? UINT64_MAX : number - 1;
}

static inline uint64_t shmetrics_tag_incarnation(uint64_t tag)
{
    return tag & ((UINT64_C(1) << 48) - 1);
}

/* A range of the text region (SPEC 7.4). */
static inline uint64_t shmetrics_range_offset(uint64_t range)
{
    return range >> 32;
}

static inline uint64_t shmetrics_range_length(uint64_t range)
{
    return range & 0xffffffff;
}

/* The word `shape` of a record (SPEC 7.3). */
static inline unsigned shmetrics_shape_type(uint64_t shape)
{
    return (unsigned)(shape & 0xff);
}

static inline unsigned shmetrics_shape_kind(uint64_t shape)
{
    return (unsigned)(shape >> 8 & 0xff);
}

static inline unsigned shmetrics_shape_merge(uint64_t shape)
{
    return (unsigned)(shape >> 16 & 0xff);
}

static inline unsigned shmetrics_shape_flags(uint64_t shape)
{
    return (unsigned)(shape >> 24 & 0xff);
}

static inline unsigned shmetrics_shape_ring_slots(uint64_t shape)
{
    return (unsigned)(shape >> 32 & 0xff);
}

/* ---- Rings of events [9.12] ---- */

struct shmetrics_ring {
    uint64_t capacity;     /* records, a power of two */
    uint64_t record_words; /* of each */
};

/* Bytes of a block of events. */
static inline uint64_t shmetrics_events_length(struct shmetrics_ring ring)
{
    uint64_t lines = (16 + ring.capacity * ring.record_words + 15) / 16 | 1;
    return SHMETRICS_LINE_LENGTH * (lines < 5 ? 5 : lines);
}

/* The word `buckets` of the record of an events series, as two fields. 1 if they are within their limits and no other bit is set (V-25),
 * else 0. */
static inline int shmetrics_ring_of(uint64_t word, struct shmetrics_ring *ring)
{
    uint64_t log2 = word & 0xff;
    ring->record_words = word >> 16 & 0xffff;
    ring->capacity = log2 < 64 ? UINT64_C(1) << log2 : 0;
    return log2 >= 1 && log2 <= SHMETRICS_MAX_EVENT_CAPACITY_LOG2 && ring->record_words >= 8 && ring->record_words % 8 == 0 &&
           8 * ring->record_words <= SHMETRICS_MAX_EVENT_LENGTH && word == (log2 | ring->record_words << 16) &&
           shmetrics_events_length(*ring) <= SHMETRICS_MAX_BLOCK_LENGTH;
}

/* Where the event with this number is in the block at `block`. */
static inline uint64_t shmetrics_event_address(uint64_t block, const struct shmetrics_ring *ring, uint64_t number)
{
    return block + SHMETRICS_EVENTS_BLOCK_LENGTH + 8 * ring->record_words * (number & (ring->capacity - 1));
}

/* ---- Exponential buckets [9.8, 14] ---- */

struct shmetrics_buckets {
    int scale;
    int low;
    int high;
};

/* Number of buckets, low and overflow included. */
static inline uint64_t shmetrics_bucket_count(struct shmetrics_buckets buckets)
{
    return ((uint64_t)(buckets.high - buckets.low) << buckets.scale) + 2;
}

/* The word `buckets` of a record, as three fields. 1 if they are in their ranges and no other bit is set (V-25), else 0. */
static inline int shmetrics_buckets_of(uint64_t word, struct shmetrics_buckets *buckets)
{
    buckets->scale = (int)(word & 0xff);
    buckets->low = (int)((word >> 16 & 0xffff) ^ 0x8000) - 0x8000;
    buckets->high = (int)((word >> 32 & 0xffff) ^ 0x8000) - 0x8000;
    return (word & ~UINT64_C(0xffffffff00ff)) == 0 && buckets->scale <= SHMETRICS_MAX_SCALE &&
           buckets->low >= SHMETRICS_MIN_LOW && buckets->low < buckets->high && buckets->high <= SHMETRICS_MAX_HIGH &&
           shmetrics_bucket_count(*buckets) <= SHMETRICS_MAX_BUCKETS;
}

static inline double shmetrics_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The greatest value of bucket `index`: 2^low for the low bucket, infinity for overflow. */
static inline double shmetrics_upper_bound(struct shmetrics_buckets buckets, uint64_t index)
{
    if (index + 1 >= shmetrics_bucket_count(buckets))
        return shmetrics_double(UINT64_C(0x7ff) << 52);
    uint64_t exponent = (uint64_t)(buckets.low + 1023) + (index >> buckets.scale);
    uint64_t position = index & ((UINT64_C(1) << buckets.scale) - 1);
    return shmetrics_double(exponent << 52 | shmetrics_mantissas[position << (SHMETRICS_MAX_SCALE - buckets.scale)]);
}

/* The bound that the values of bucket `index` are above: 0 for the low bucket. */
static inline double shmetrics_lower_bound(struct shmetrics_buckets buckets, uint64_t index)
{
    return index == 0 ? 0.0 : shmetrics_upper_bound(buckets, index - 1);
}

/* The scheme in which two revisions of a series are added. */
static inline struct shmetrics_buckets shmetrics_common(struct shmetrics_buckets a, struct shmetrics_buckets b)
{
    struct shmetrics_buckets common = a;
    if (b.scale < common.scale)
        common.scale = b.scale;
    if (b.low < common.low)
        common.low = b.low;
    if (b.high > common.high)
        common.high = b.high;
    while (shmetrics_bucket_count(common) > SHMETRICS_MAX_BUCKETS)
        common.scale--;
    return common;
}

/* The bucket of `common`, made by shmetrics_common(), that takes up bucket `index` of `own`: where its upper bound is. */
static inline uint64_t shmetrics_target(struct shmetrics_buckets own, uint64_t index, struct shmetrics_buckets common)
{
    if (index + 1 >= shmetrics_bucket_count(own))
        return shmetrics_bucket_count(common) - 1;
    int coarser = own.scale - common.scale;
    uint64_t from_low = ((uint64_t)(own.low - common.low) << own.scale) + index;
    return (from_low + (UINT64_C(1) << coarser) - 1) >> coarser;
}

/* ---- Blocks (SPEC 9.7) ----
 *
 * Offsets and sizes in words from the start of a block; `buckets` is NB, `ring_slots` N. */

static inline uint64_t shmetrics_lines(uint64_t words)
{
    return (words + 15) / 16;
}

static inline uint64_t shmetrics_latch_stride(uint64_t buckets)
{
    return 16 * shmetrics_lines(SHMETRICS_STATE_LENGTH / 8 + buckets);
}

static inline uint64_t shmetrics_ring_stride(uint64_t buckets)
{
    return 16 * shmetrics_lines((SHMETRICS_RING_SLOT_LENGTH + SHMETRICS_STATE_LENGTH) / 8 + buckets);
}

/* Where copy 0 or 1 of the latch is. */
static inline uint64_t shmetrics_latch_copy(uint64_t buckets, uint64_t copy)
{
    return SHMETRICS_BLOCK_BUCKETS + 16 * shmetrics_lines(buckets) + copy * shmetrics_latch_stride(buckets);
}

/* Where a ring slot is, from 0. */
static inline uint64_t shmetrics_ring_slot_at(uint64_t buckets, uint64_t slot)
{
    return shmetrics_latch_copy(buckets, 2) + slot * shmetrics_ring_stride(buckets);
}

/* Bytes of a block in a lane. */
static inline uint64_t shmetrics_block_length(uint64_t buckets, uint64_t ring_slots)
{
    uint64_t lines = shmetrics_lines(shmetrics_ring_slot_at(buckets, ring_slots)) | 1;
    return SHMETRICS_LINE_LENGTH * (lines < 5 ? 5 : lines);
}

/* Entries of a block of samples of which so many are shown, and its bytes (SPEC 9.13). */
static inline uint64_t shmetrics_samples_entries(uint64_t shown)
{
    uint64_t entries = 1;
    while (entries <= shown + shown / 4) entries *= 2;
    return entries;
}

static inline uint64_t shmetrics_samples_length(uint64_t shown)
{
    uint64_t lines = shmetrics_lines(SHMETRICS_BLOCK_BUCKETS + 2 * shmetrics_samples_entries(shown)) | 1;
    return SHMETRICS_LINE_LENGTH * (lines < 5 ? 5 : lines);
}

/* How many fields a group has, and of how many words of how many copies its blocks are (SPEC 9.16). */
struct shmetrics_group { uint64_t fields, copies, copy_words; };

/* Takes the word `buckets` of a group's record apart; 0 if it is none. */
static inline int shmetrics_group_of(uint64_t word, struct shmetrics_group *group)
{
    uint64_t fields = word & 0xff, log2 = word >> 8;
    if (fields == 0 || fields > SHMETRICS_MAX_GROUP_FIELDS || log2 < SHMETRICS_MIN_GROUP_COPIES_LOG2 ||
        log2 > SHMETRICS_MAX_GROUP_COPIES_LOG2)
        return 0;
    group->fields = fields;
    group->copies = UINT64_C(1) << log2;
    group->copy_words = 1;
    while (group->copy_words < fields) group->copy_words *= 2;
    return 1;
}

/* Bytes of the block of a group in a lane. */
static inline uint64_t shmetrics_group_length(const struct shmetrics_group *group)
{
    uint64_t lines = shmetrics_lines(2 * SHMETRICS_BLOCK_BUCKETS + group->copies * group->copy_words) | 1;
    return SHMETRICS_LINE_LENGTH * (lines < 5 ? 5 : lines);
}

/* Where the copy that this update is in is in the block at `block`. */
static inline uint64_t shmetrics_group_copy_address(uint64_t block, const struct shmetrics_group *group, uint64_t number)
{
    return block + 2 * SHMETRICS_LINE_LENGTH + 8 * group->copy_words * (number & (group->copies - 1));
}

/* Bytes of a block that the shared lane uses: line 0 and the buckets. */
static inline uint64_t shmetrics_shared_length(uint64_t buckets)
{
    return 8 * shmetrics_latch_copy(buckets, 0);
}

/* ---- Values ---- */

/* The value of a key of minimum and maximum (SPEC 9.7), in the base unit. The words in the file are encoded so that zeros mean
 * "none": the key is ~minimum, if that word is not 0, and maximum - 1, if that is not 0. */
static inline double shmetrics_key_value(unsigned kind, uint64_t key)
{
    if (kind == SHMETRICS_KIND_HISTOGRAM_INTEGER)
        return (double)key;
    return shmetrics_double(key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key);
}

#endif
