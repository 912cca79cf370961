/* The shmetrics segment format, up to version 2, for C11 and C++17: where every byte is.
 *
 * Generated from the field tables of the reference implementation (tests/c_header); do not edit. To make it anew:
 *
 *     SHMETRICS_BLESS=1 cargo test --test c_header
 *
 * SPEC.md is the normative text; numbers in brackets are its sections. examples/read.c is a reader made with this header.
 *
 * The rules that a struct cannot say:
 *
 * - A segment is words of 8 bytes in the byte order of the machine. Members are plain uint64_t, so that a struct can also hold a
 *   private copy. In shared memory load each word once, whole and atomically, and use the copy:
 *
 *       uint64_t count = __atomic_load_n(&block->count, __ATOMIC_RELAXED);
 *
 *   and where the protocols [10] say so: __atomic_thread_fence(__ATOMIC_ACQUIRE). Never memcpy from shared memory.
 * - Check the header [12.1] before any offset is used, each record [12.2] before it is believed.
 * - Never touch what no mark covers [12.3, D-5]: on tmpfs a load from a hole allocates a page.
 * - Members named reserved_NNN (the offset, hexadecimal) are for later versions: ignore them.
 * - Offsets and lengths are bytes unless a comment says words.
 */
#ifndef SHMETRICS_LAYOUT_H
#define SHMETRICS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#define SHMETRICS_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define SHMETRICS_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/* ---- Numbers of the format [2, 6, 9] ---- */

#define SHMETRICS_MAGIC UINT64_C(0x0a0d74656d68738f)               /* first word, in the byte order of the machine */
#define SHMETRICS_MAGIC_SWAPPED UINT64_C(0x8f73686d65740d0a)       /* a segment of the other byte order */
#define SHMETRICS_VERSION UINT64_C(2)                              /* the newest that is known here */
#define SHMETRICS_ERROR_LOG_VERSION UINT64_C(2)                    /* the first with an error log; older ones have no words for it */
#define SHMETRICS_HEADER_LENGTH UINT64_C(4096)                     /* both parts */
#define SHMETRICS_LINE_LENGTH UINT64_C(128)                        /* of the format, on every machine */
#define SHMETRICS_REGION_ALIGNMENT UINT64_C(65536)
#define SHMETRICS_FNV_BASIS UINT64_C(0xcbf29ce484222325)           /* FNV-1a, 64 bits [6.4] */
#define SHMETRICS_FNV_PRIME UINT64_C(0x00000100000001b3)
#define SHMETRICS_BLOCK_GRANULE_LENGTH UINT64_C(512)               /* one bit of a lane's bitmap [9.6] */
#define SHMETRICS_BLOCK_BUCKETS UINT64_C(16)                       /* words before the buckets of a block [9.7] */
#define SHMETRICS_LOCK_BASE_OFFSET UINT64_C(0x1000000000000000)    /* the lock byte of slot s is at this + s [10.4] */
#define SHMETRICS_CREATION_LOCK_OFFSET UINT64_C(0x1000000000001000) /* of shm: names [10.2] */

/* ---- Values of words [7.3, 7.5, 9.2] ---- */

#define SHMETRICS_NOBODY UINT64_C(0)                               /* owner tag: nobody, ever */
#define SHMETRICS_RELEASED UINT64_C(0xffffffffffffffff)            /* owner tag of a lane: given back */
#define SHMETRICS_CLAIMED_BY_UNKNOWN UINT64_C(0xffffffffffffffff)  /* claim: a process without a slot */
#define SHMETRICS_PUBLISHED UINT64_C(0xfffffffffffffffe)           /* claim: the number is in the index */
#define SHMETRICS_READY UINT64_C(1)                                /* ready: readers show the series */
#define SHMETRICS_TOMBSTONE UINT64_C(2)                            /* ready: reserved; readers show nothing */
#define SHMETRICS_ERROR_READY UINT64_C(1)                          /* error_ready: readers show the error */
#define SHMETRICS_ERROR_TEXT_CUT UINT64_C(0x0000000100000000)      /* in error_length: the text was longer */
#define SHMETRICS_TYPE_FAMILY 1                                    /* type in a record's shape */
#define SHMETRICS_TYPE_SERIES 2
#define SHMETRICS_FLAG_OVERFLOW 1                                  /* shown when it is not zero [14] */
#define SHMETRICS_INDEX_HASH_MASK UINT64_C(0xffffffff00000000)     /* of an index word; the rest is a record number [7.1] */
#define SHMETRICS_PLACEMENT_FREE_BITS 40                           /* of a placement word: the next free unit [10.7.3] */

/* ---- Limits [19] ---- */

#define SHMETRICS_MAX_PROCESS_SLOTS UINT64_C(4096)
#define SHMETRICS_MAX_LANES UINT64_C(16384)
#define SHMETRICS_MAX_RECORDS UINT64_C(1048576)
#define SHMETRICS_MIN_TEXT_LENGTH UINT64_C(1024)
#define SHMETRICS_MAX_TEXT_LENGTH UINT64_C(1073741824)
#define SHMETRICS_MIN_BLOCKS_LENGTH UINT64_C(4096)
#define SHMETRICS_MAX_BLOCKS_LENGTH UINT64_C(2147483648)
#define SHMETRICS_MAX_ERRORS UINT64_C(1024)
#define SHMETRICS_MAX_RESET_TABLES UINT64_C(2)
#define SHMETRICS_MAX_FILE_LENGTH UINT64_C(4398046511104)
#define SHMETRICS_MIN_EPOCH_LENGTH_NS UINT64_C(1000000)
#define SHMETRICS_MAX_EPOCH_LENGTH_NS UINT64_C(86400000000000)
#define SHMETRICS_MAX_BLOCK_LENGTH UINT64_C(8388608)
#define SHMETRICS_MAX_RING_SLOTS UINT64_C(64)
#define SHMETRICS_MAX_BUCKETS UINT64_C(8194)
#define SHMETRICS_MAX_BOUNDS UINT64_C(256)
#define SHMETRICS_MAX_NAME_LENGTH UINT64_C(255)
#define SHMETRICS_MAX_HELP_LENGTH UINT64_C(1024)
#define SHMETRICS_MAX_UNIT_LENGTH UINT64_C(63)
#define SHMETRICS_MAX_LABELS UINT64_C(32)
#define SHMETRICS_MAX_LABEL_NAME_LENGTH UINT64_C(255)
#define SHMETRICS_MAX_LABEL_VALUE_LENGTH UINT64_C(1024)
#define SHMETRICS_MAX_ENCODED_LENGTH UINT64_C(8192)
#define SHMETRICS_MAX_EVENT_CAPACITY_LOG2 UINT64_C(16)
#define SHMETRICS_MAX_EVENT_LENGTH UINT64_C(4096)
#define SHMETRICS_MAX_SCHEMA_LENGTH UINT64_C(4096)
#define SHMETRICS_MAX_EVENT_KINDS UINT64_C(64)
#define SHMETRICS_MAX_EVENT_FIELDS UINT64_C(64)
#define SHMETRICS_MAX_EVENT_NAME_LENGTH UINT64_C(63)
#define SHMETRICS_MAX_SAMPLES UINT64_C(4096)
#define SHMETRICS_MAX_STATUSES UINT64_C(64)
#define SHMETRICS_MAX_STATUS_NAME_LENGTH UINT64_C(63)
#define SHMETRICS_MAX_TEXT_CAPACITY UINT64_C(4096)
#define SHMETRICS_MAX_GROUP_FIELDS UINT64_C(15)
#define SHMETRICS_MAX_GROUP_NAMES_LENGTH UINT64_C(959)
#define SHMETRICS_MIN_GROUP_COPIES_LOG2 UINT64_C(4)
#define SHMETRICS_MAX_GROUP_COPIES_LOG2 UINT64_C(8)
#define SHMETRICS_SEAL_INTERVAL UINT64_C(16384)
#define SHMETRICS_MAX_SCALE 7
#define SHMETRICS_MIN_LOW (-1022)
#define SHMETRICS_MAX_HIGH 1023

/* ---- Kinds, merge rules, states [8.1, 8.2, 9.1] ---- */

/* Open: skip a record of a kind that is not here, and say so. */
enum shmetrics_kind {
    SHMETRICS_KIND_COUNTER_U64 = 1,
    SHMETRICS_KIND_COUNTER_F64 = 2,
    SHMETRICS_KIND_GAUGE_I64 = 3,
    SHMETRICS_KIND_GAUGE_F64 = 4,
    SHMETRICS_KIND_HISTOGRAM_INTEGER = 5,
    SHMETRICS_KIND_HISTOGRAM_FLOAT = 6,
    SHMETRICS_KIND_HISTOGRAM_CLASSIC = 7,
    SHMETRICS_KIND_NUMBER = 8,
    SHMETRICS_KIND_TIME_MARK = 9,
    SHMETRICS_KIND_STATE = 10,
    SHMETRICS_KIND_SAMPLES = 11,
    SHMETRICS_KIND_EVENTS = 12,
    SHMETRICS_KIND_TEXT = 13,
    SHMETRICS_KIND_GROUP = 14,
    SHMETRICS_KIND_IN_FLIGHT = 15
};
/* Open, as kinds are. */
enum shmetrics_merge {
    SHMETRICS_MERGE_SUM = 1,
    SHMETRICS_MERGE_MIN = 2,
    SHMETRICS_MERGE_MAX = 3,
    SHMETRICS_MERGE_MEAN = 4,
    SHMETRICS_MERGE_LAST = 5,
    SHMETRICS_MERGE_EACH = 6
};
/* In the low two bits of process_owner. */
enum shmetrics_slot_state {
    SHMETRICS_SLOT_FREE = 0,
    SHMETRICS_SLOT_CLAIMING = 1,
    SHMETRICS_SLOT_ACTIVE = 2
};

/* ---- The header [6.1] ---- */

#define SHMETRICS_HEADER_MAGIC_OFFSET UINT64_C(0x000)
#define SHMETRICS_HEADER_VERSION_OFFSET UINT64_C(0x008)
#define SHMETRICS_HEADER_COMPATIBLE_FROM_OFFSET UINT64_C(0x010)
#define SHMETRICS_HEADER_LENGTH_OFFSET UINT64_C(0x018)
#define SHMETRICS_HEADER_REQUIRED_FEATURES_OFFSET UINT64_C(0x020)
#define SHMETRICS_HEADER_OPTIONAL_FEATURES_OFFSET UINT64_C(0x028)
#define SHMETRICS_HEADER_FILE_LENGTH_OFFSET UINT64_C(0x030)
#define SHMETRICS_HEADER_PROCESS_SLOTS_OFFSET UINT64_C(0x038)
#define SHMETRICS_HEADER_LANES_OFFSET UINT64_C(0x040)
#define SHMETRICS_HEADER_SERIES_OFFSET UINT64_C(0x048)
#define SHMETRICS_HEADER_RECORDS_OFFSET UINT64_C(0x050)
#define SHMETRICS_HEADER_INDEX_ENTRIES_OFFSET UINT64_C(0x058)
#define SHMETRICS_HEADER_TEXT_LENGTH_OFFSET UINT64_C(0x060)
#define SHMETRICS_HEADER_COUNTERS_OFFSET UINT64_C(0x068)
#define SHMETRICS_HEADER_GAUGES_OFFSET UINT64_C(0x070)
#define SHMETRICS_HEADER_BLOCKS_LENGTH_OFFSET UINT64_C(0x078)
#define SHMETRICS_HEADER_BUDGET_OFFSET UINT64_C(0x080)
#define SHMETRICS_HEADER_EPOCH_LENGTH_NS_OFFSET UINT64_C(0x088)
#define SHMETRICS_HEADER_INDEX_REGION_OFFSET UINT64_C(0x090)
#define SHMETRICS_HEADER_RECORDS_REGION_OFFSET UINT64_C(0x098)
#define SHMETRICS_HEADER_TEXT_REGION_OFFSET UINT64_C(0x0a0)
#define SHMETRICS_HEADER_PROCESS_DIRECTORY_REGION_OFFSET UINT64_C(0x0a8)
#define SHMETRICS_HEADER_LANE_DIRECTORY_REGION_OFFSET UINT64_C(0x0b0)
#define SHMETRICS_HEADER_SLOTS_REGION_OFFSET UINT64_C(0x0b8)
#define SHMETRICS_HEADER_SLOT_STRIDE_OFFSET UINT64_C(0x0c0)
#define SHMETRICS_HEADER_SHARED_COUNTERS_REGION_OFFSET UINT64_C(0x0c8)
#define SHMETRICS_HEADER_SHARED_BLOCKS_REGION_OFFSET UINT64_C(0x0d0)
#define SHMETRICS_HEADER_LANES_REGION_OFFSET UINT64_C(0x0d8)
#define SHMETRICS_HEADER_LANE_STRIDE_OFFSET UINT64_C(0x0e0)
#define SHMETRICS_HEADER_LANE_COUNTERS_OFFSET UINT64_C(0x0e8)
#define SHMETRICS_HEADER_LANE_BASELINE_OFFSET UINT64_C(0x0f0)
#define SHMETRICS_HEADER_LANE_BLOCKS_OFFSET UINT64_C(0x0f8)
#define SHMETRICS_HEADER_BOOT_ID_HIGH_OFFSET UINT64_C(0x100)
#define SHMETRICS_HEADER_BOOT_ID_LOW_OFFSET UINT64_C(0x108)
#define SHMETRICS_HEADER_CREATED_NS_OFFSET UINT64_C(0x110)
#define SHMETRICS_HEADER_CREATED_MONOTONIC_NS_OFFSET UINT64_C(0x118)
#define SHMETRICS_HEADER_SEGMENT_ID_OFFSET UINT64_C(0x120)
#define SHMETRICS_HEADER_WRITER_FEATURES_OFFSET UINT64_C(0x128)
#define SHMETRICS_HEADER_ERRORS_OFFSET UINT64_C(0x130)
#define SHMETRICS_HEADER_ERRORS_REGION_OFFSET UINT64_C(0x138)
#define SHMETRICS_HEADER_RESET_TABLES_OFFSET UINT64_C(0x140)
#define SHMETRICS_HEADER_RESETS_REGION_OFFSET UINT64_C(0x148)
#define SHMETRICS_HEADER_RESET_STRIDE_OFFSET UINT64_C(0x150)
#define SHMETRICS_HEADER_CHECKSUM_OFFSET UINT64_C(0x1f8)

/* Written once. Copy it once, check the copy, never look at it again. */
struct shmetrics_header {
    uint64_t magic;                          /* 0x000 a64 */
    uint64_t version;                        /* 0x008 u64 */
    uint64_t compatible_from;                /* 0x010 u64 */
    uint64_t header_length;                  /* 0x018 u64 */
    uint64_t required_features;              /* 0x020 u64 */
    uint64_t optional_features;              /* 0x028 u64 */
    uint64_t file_length;                    /* 0x030 u64 */
    uint64_t process_slots;                  /* 0x038 u64 */
    uint64_t lanes;                          /* 0x040 u64 */
    uint64_t series;                         /* 0x048 u64 */
    uint64_t records;                        /* 0x050 u64 */
    uint64_t index_entries;                  /* 0x058 u64 */
    uint64_t text_length;                    /* 0x060 u64 */
    uint64_t counters;                       /* 0x068 u64 */
    uint64_t gauges;                         /* 0x070 u64 */
    uint64_t blocks_length;                  /* 0x078 u64 */
    uint64_t budget;                         /* 0x080 u64 */
    uint64_t epoch_length_ns;                /* 0x088 u64 */
    uint64_t index_region;                   /* 0x090 u64 */
    uint64_t records_region;                 /* 0x098 u64 */
    uint64_t text_region;                    /* 0x0a0 u64 */
    uint64_t process_directory_region;       /* 0x0a8 u64 */
    uint64_t lane_directory_region;          /* 0x0b0 u64 */
    uint64_t slots_region;                   /* 0x0b8 u64 */
    uint64_t slot_stride;                    /* 0x0c0 u64 */
    uint64_t shared_counters_region;         /* 0x0c8 u64 */
    uint64_t shared_blocks_region;           /* 0x0d0 u64 */
    uint64_t lanes_region;                   /* 0x0d8 u64 */
    uint64_t lane_stride;                    /* 0x0e0 u64 */
    uint64_t lane_counters;                  /* 0x0e8 u64 */
    uint64_t lane_baseline;                  /* 0x0f0 u64 */
    uint64_t lane_blocks;                    /* 0x0f8 u64 */
    uint64_t boot_id_high;                   /* 0x100 u64 */
    uint64_t boot_id_low;                    /* 0x108 u64 */
    uint64_t created_ns;                     /* 0x110 u64 */
    uint64_t created_monotonic_ns;           /* 0x118 u64 */
    uint64_t segment_id;                     /* 0x120 u64 */
    uint64_t writer_features;                /* 0x128 u64 */
    uint64_t errors;                         /* 0x130 u64 */
    uint64_t errors_region;                  /* 0x138 u64 */
    uint64_t reset_tables;                   /* 0x140 u64 */
    uint64_t resets_region;                  /* 0x148 u64 */
    uint64_t reset_stride;                   /* 0x150 u64 */
    uint64_t reserved_158[20];               /* 0x158 bytes */
    uint64_t checksum;                       /* 0x1f8 u64 */
};

/* ---- The mutable header [6.2] ---- */

#define SHMETRICS_MUTABLE_HEADER_OFFSET UINT64_C(512)
#define SHMETRICS_HEADER_RESERVED_OFFSET UINT64_C(0x400)
#define SHMETRICS_HEADER_TEXT_USED_OFFSET UINT64_C(0x480)
#define SHMETRICS_HEADER_COUNTER_PLACEMENT_OFFSET UINT64_C(0x500)
#define SHMETRICS_HEADER_GAUGE_PLACEMENT_OFFSET UINT64_C(0x580)
#define SHMETRICS_HEADER_BLOCK_PLACEMENT_OFFSET UINT64_C(0x600)
#define SHMETRICS_HEADER_COMMITTED_OFFSET UINT64_C(0x680)
#define SHMETRICS_HEADER_TICKER_OFFSET UINT64_C(0x700)
#define SHMETRICS_HEADER_NEXT_ID_OFFSET UINT64_C(0x780)
#define SHMETRICS_HEADER_STAMP_OFFSET UINT64_C(0x800)
#define SHMETRICS_HEADER_RETIRED_OFFSET UINT64_C(0x880)
#define SHMETRICS_HEADER_LOSS_LANES_OFFSET UINT64_C(0x900)
#define SHMETRICS_HEADER_LOSS_SLOTS_OFFSET UINT64_C(0x980)
#define SHMETRICS_HEADER_LOSS_STORAGE_OFFSET UINT64_C(0xa00)
#define SHMETRICS_HEADER_LOSS_BUDGET_OFFSET UINT64_C(0xa80)
#define SHMETRICS_HEADER_LOSS_GAUGE_WRITES_OFFSET UINT64_C(0xb00)
#define SHMETRICS_HEADER_LOSS_REFUSED_LABEL_SETS_OFFSET UINT64_C(0xb80)
#define SHMETRICS_HEADER_LOSS_LABEL_SETS_OFFSET UINT64_C(0xc00)
#define SHMETRICS_HEADER_ANOMALIES_OFFSET UINT64_C(0xc80)
#define SHMETRICS_HEADER_LOSS_REGISTRATIONS_OFFSET UINT64_C(0xd00)
#define SHMETRICS_HEADER_LOSS_ERRORS_OFFSET UINT64_C(0xd80)
#define SHMETRICS_HEADER_ADOPTIONS_OFFSET UINT64_C(0xe00)
#define SHMETRICS_HEADER_RESET_OFFSET UINT64_C(0xe80)

/* Each word is alone on its line. Offsets count from the start of the file. */
struct shmetrics_mutable_header {
    uint64_t reserved_200[64];               /* 0x200 bytes */
    uint64_t reserved;                       /* 0x400 a64 */
    uint64_t reserved_408[15];               /* 0x408 bytes */
    uint64_t text_used;                      /* 0x480 a64 */
    uint64_t reserved_488[15];               /* 0x488 bytes */
    uint64_t counter_placement;              /* 0x500 a64 */
    uint64_t reserved_508[15];               /* 0x508 bytes */
    uint64_t gauge_placement;                /* 0x580 a64 */
    uint64_t reserved_588[15];               /* 0x588 bytes */
    uint64_t block_placement;                /* 0x600 a64 */
    uint64_t reserved_608[15];               /* 0x608 bytes */
    uint64_t committed;                      /* 0x680 a64 */
    uint64_t reserved_688[15];               /* 0x688 bytes */
    uint64_t ticker;                         /* 0x700 a64 */
    uint64_t reserved_708[15];               /* 0x708 bytes */
    uint64_t next_id;                        /* 0x780 a64 */
    uint64_t reserved_788[15];               /* 0x788 bytes */
    uint64_t stamp;                          /* 0x800 a64 */
    uint64_t reserved_808[15];               /* 0x808 bytes */
    uint64_t retired;                        /* 0x880 a64 */
    uint64_t reserved_888[15];               /* 0x888 bytes */
    uint64_t loss_lanes;                     /* 0x900 a64 */
    uint64_t reserved_908[15];               /* 0x908 bytes */
    uint64_t loss_slots;                     /* 0x980 a64 */
    uint64_t reserved_988[15];               /* 0x988 bytes */
    uint64_t loss_storage;                   /* 0xa00 a64 */
    uint64_t reserved_a08[15];               /* 0xa08 bytes */
    uint64_t loss_budget;                    /* 0xa80 a64 */
    uint64_t reserved_a88[15];               /* 0xa88 bytes */
    uint64_t loss_gauge_writes;              /* 0xb00 a64 */
    uint64_t reserved_b08[15];               /* 0xb08 bytes */
    uint64_t loss_refused_label_sets;        /* 0xb80 a64 */
    uint64_t reserved_b88[15];               /* 0xb88 bytes */
    uint64_t loss_label_sets;                /* 0xc00 a64 */
    uint64_t reserved_c08[15];               /* 0xc08 bytes */
    uint64_t anomalies;                      /* 0xc80 a64 */
    uint64_t reserved_c88[15];               /* 0xc88 bytes */
    uint64_t loss_registrations;             /* 0xd00 a64 */
    uint64_t reserved_d08[15];               /* 0xd08 bytes */
    uint64_t loss_errors;                    /* 0xd80 a64 */
    uint64_t reserved_d88[15];               /* 0xd88 bytes */
    uint64_t adoptions;                      /* 0xe00 a64 */
    uint64_t reserved_e08[15];               /* 0xe08 bytes */
    uint64_t reset;                          /* 0xe80 a64 */
    uint64_t reserved_e88[47];               /* 0xe88 bytes */
};

/* ---- The record [7.3] ---- */

#define SHMETRICS_RECORD_LENGTH UINT64_C(128)
#define SHMETRICS_RECORD_CLAIM_OFFSET UINT64_C(0x000)
#define SHMETRICS_RECORD_READY_OFFSET UINT64_C(0x008)
#define SHMETRICS_RECORD_SHAPE_OFFSET UINT64_C(0x010)
#define SHMETRICS_RECORD_HASH_OFFSET UINT64_C(0x018)
#define SHMETRICS_RECORD_TEXT_OFFSET UINT64_C(0x020)
#define SHMETRICS_RECORD_EXTRA_OFFSET UINT64_C(0x028)
#define SHMETRICS_RECORD_UNIT_OFFSET UINT64_C(0x030)
#define SHMETRICS_RECORD_FACTOR_OFFSET UINT64_C(0x038)
#define SHMETRICS_RECORD_BUCKETS_OFFSET UINT64_C(0x040)
#define SHMETRICS_RECORD_LENGTH_OFFSET UINT64_C(0x048)
#define SHMETRICS_RECORD_CREATED_OFFSET UINT64_C(0x050)
#define SHMETRICS_RECORD_CHECKSUM_OFFSET UINT64_C(0x058)
#define SHMETRICS_RECORD_CELL_OFFSET UINT64_C(0x060)
#define SHMETRICS_RECORD_MEMBERS_OFFSET UINT64_C(0x068)
#define SHMETRICS_RECORD_ROOM_OFFSET UINT64_C(0x070)

/* A family or a series. Words 0x10 to 0x58 never change once ready is 1. */
struct shmetrics_record {
    uint64_t claim;                          /* 0x000 tag */
    uint64_t ready;                          /* 0x008 a64 */
    uint64_t shape;                          /* 0x010 u64 */
    uint64_t hash;                           /* 0x018 u64 */
    uint64_t text;                           /* 0x020 range */
    uint64_t extra;                          /* 0x028 range */
    uint64_t unit;                           /* 0x030 range */
    uint64_t factor;                         /* 0x038 f64 */
    uint64_t buckets;                        /* 0x040 u64 */
    uint64_t length;                         /* 0x048 u64 */
    uint64_t created;                        /* 0x050 u64 */
    uint64_t checksum;                       /* 0x058 u64 */
    uint64_t cell;                           /* 0x060 a64 */
    uint64_t members;                        /* 0x068 a64 */
    uint64_t room;                           /* 0x070 range */
    uint64_t reserved_078;                   /* 0x078 bytes */
};

/* ---- The process entry [9.1] ---- */

#define SHMETRICS_PROCESS_ENTRY_LENGTH UINT64_C(384)
#define SHMETRICS_PROCESS_OWNER_OFFSET UINT64_C(0x000)
#define SHMETRICS_PROCESS_COMMITTED_OFFSET UINT64_C(0x008)
#define SHMETRICS_PROCESS_DESCRIPTION_OFFSET UINT64_C(0x010)
#define SHMETRICS_PROCESS_PID_OFFSET UINT64_C(0x080)
#define SHMETRICS_PROCESS_PID_NAMESPACE_OFFSET UINT64_C(0x088)
#define SHMETRICS_PROCESS_START_TICKS_OFFSET UINT64_C(0x090)
#define SHMETRICS_PROCESS_CLAIMED_NS_OFFSET UINT64_C(0x098)
#define SHMETRICS_PROCESS_ROLE_OFFSET UINT64_C(0x0a0)
#define SHMETRICS_PROCESS_ROLE_LENGTH UINT64_C(64)
#define SHMETRICS_PROCESS_COMMAND_OFFSET UINT64_C(0x0e0)
#define SHMETRICS_PROCESS_COMMAND_LENGTH UINT64_C(128)

/* Only process_owner, process_committed and the lock byte decide; the rest is for people. */
struct shmetrics_process_entry {
    uint64_t process_owner;                  /* 0x000 a64 */
    uint64_t process_committed;              /* 0x008 a64 */
    uint64_t process_description;            /* 0x010 a64 */
    uint64_t reserved_018[13];               /* 0x018 bytes */
    uint64_t process_pid;                    /* 0x080 u64 */
    uint64_t process_pid_namespace;          /* 0x088 u64 */
    uint64_t process_start_ticks;            /* 0x090 u64 */
    uint64_t process_claimed_ns;             /* 0x098 u64 */
    uint64_t process_role[8];                /* 0x0a0 text */
    uint64_t process_command[16];            /* 0x0e0 text */
    uint64_t reserved_160[4];                /* 0x160 bytes */
};

/* ---- The lane entry [9.3] ---- */

#define SHMETRICS_LANE_ENTRY_LENGTH UINT64_C(128)
#define SHMETRICS_LANE_OWNER_OFFSET UINT64_C(0x000)
#define SHMETRICS_LANE_INCARNATION_OFFSET UINT64_C(0x008)
#define SHMETRICS_LANE_COMMITTED_OFFSET UINT64_C(0x010)
#define SHMETRICS_LANE_BASELINE_WORD_OFFSET UINT64_C(0x018)
#define SHMETRICS_LANE_BASELINE_COUNTERS_OFFSET UINT64_C(0x020)
#define SHMETRICS_LANE_BASELINE_OWNER_OFFSET UINT64_C(0x028)

/* A lane's cells may be touched if lane_owner and lane_committed are not 0. */
struct shmetrics_lane_entry {
    uint64_t lane_owner;                     /* 0x000 tag */
    uint64_t lane_incarnation;               /* 0x008 a64 */
    uint64_t lane_committed;                 /* 0x010 a64 */
    uint64_t lane_baseline_word;             /* 0x018 a64 */
    uint64_t lane_baseline_counters;         /* 0x020 a64 */
    uint64_t lane_baseline_owner;            /* 0x028 tag */
    uint64_t reserved_030[10];               /* 0x030 bytes */
};

/* ---- The error entry [9.10] ---- */

#define SHMETRICS_ERROR_ENTRY_LENGTH UINT64_C(256)
#define SHMETRICS_ERROR_CLAIM_OFFSET UINT64_C(0x000)
#define SHMETRICS_ERROR_READY_OFFSET UINT64_C(0x008)
#define SHMETRICS_ERROR_HASH_OFFSET UINT64_C(0x010)
#define SHMETRICS_ERROR_LENGTH_OFFSET UINT64_C(0x018)
#define SHMETRICS_ERROR_COUNT_OFFSET UINT64_C(0x020)
#define SHMETRICS_ERROR_FIRST_NS_OFFSET UINT64_C(0x028)
#define SHMETRICS_ERROR_LAST_NS_OFFSET UINT64_C(0x030)
#define SHMETRICS_ERROR_TEXT_OFFSET UINT64_C(0x040)
#define SHMETRICS_ERROR_TEXT_LENGTH UINT64_C(192)

/* Hash, length, first time and text never change once error_ready is 1. */
struct shmetrics_error_entry {
    uint64_t error_claim;                    /* 0x000 tag */
    uint64_t error_ready;                    /* 0x008 a64 */
    uint64_t error_hash;                     /* 0x010 u64 */
    uint64_t error_length;                   /* 0x018 u64 */
    uint64_t error_count;                    /* 0x020 a64 */
    uint64_t error_first_ns;                 /* 0x028 u64 */
    uint64_t error_last_ns;                  /* 0x030 a64 */
    uint64_t reserved_038;                   /* 0x038 bytes */
    uint64_t error_text[24];                 /* 0x040 text */
};

/* ---- The gauge cell [9.4] ---- */

#define SHMETRICS_GAUGE_CELL_LENGTH UINT64_C(128)
#define SHMETRICS_GAUGE_VALUE_OFFSET UINT64_C(0x000)
#define SHMETRICS_GAUGE_STAMP_OFFSET UINT64_C(0x008)

/* Stamp 0: never set. */
struct shmetrics_gauge_cell {
    uint64_t gauge_value;                    /* 0x000 a64 */
    uint64_t gauge_stamp;                    /* 0x008 a64 */
    uint64_t reserved_010[14];               /* 0x010 bytes */
};

/* ---- The block [9.7] ---- */

#define SHMETRICS_BLOCK_COUNT_OFFSET UINT64_C(0x000)
#define SHMETRICS_BLOCK_SUM_OFFSET UINT64_C(0x008)
#define SHMETRICS_BLOCK_SUM_ODD_OFFSET UINT64_C(0x010)
#define SHMETRICS_BLOCK_LOWEST_OFFSET UINT64_C(0x018)
#define SHMETRICS_BLOCK_HIGHEST_OFFSET UINT64_C(0x020)
#define SHMETRICS_BLOCK_MINIMUM_OFFSET UINT64_C(0x028)
#define SHMETRICS_BLOCK_MAXIMUM_OFFSET UINT64_C(0x030)
#define SHMETRICS_BLOCK_INVALID_OFFSET UINT64_C(0x038)
#define SHMETRICS_BLOCK_EPOCH_OFFSET UINT64_C(0x040)
#define SHMETRICS_BLOCK_LATCH_BEGIN_OFFSET UINT64_C(0x048)
#define SHMETRICS_BLOCK_LATCH_VERSION_OFFSET UINT64_C(0x050)
#define SHMETRICS_BLOCK_ROTATIONS_OFFSET UINT64_C(0x058)
#define SHMETRICS_BLOCK_BASELINE_COUNT_OFFSET UINT64_C(0x060)
#define SHMETRICS_BLOCK_BASELINE_SUM_OFFSET UINT64_C(0x068)

/* Line 0 of a histogram. The buckets follow, then the latch, then the ring; in the shared lane only the
 * buckets, and there sum_odd counts the records that have landed. */
struct shmetrics_block {
    uint64_t count;                          /* 0x000 a64 */
    uint64_t sum;                            /* 0x008 a64 */
    uint64_t sum_odd;                        /* 0x010 a64 */
    uint64_t lowest;                         /* 0x018 a64 */
    uint64_t highest;                        /* 0x020 a64 */
    uint64_t minimum;                        /* 0x028 a64 */
    uint64_t maximum;                        /* 0x030 a64 */
    uint64_t invalid;                        /* 0x038 a64 */
    uint64_t epoch;                          /* 0x040 a64 */
    uint64_t latch_begin;                    /* 0x048 a64 */
    uint64_t latch_version;                  /* 0x050 a64 */
    uint64_t rotations;                      /* 0x058 a64 */
    uint64_t baseline_count;                 /* 0x060 a64 */
    uint64_t baseline_sum;                   /* 0x068 a64 */
    uint64_t reserved_070[2];                /* 0x070 bytes */
};

/* ---- The reset block [9.11] ---- */

#define SHMETRICS_RESET_BLOCK_LENGTH UINT64_C(128)
#define SHMETRICS_RESET_COUNT_OFFSET UINT64_C(0x000)
#define SHMETRICS_RESET_SUM_OFFSET UINT64_C(0x008)
#define SHMETRICS_RESET_SUM_HIGH_OFFSET UINT64_C(0x010)
#define SHMETRICS_RESET_LOWEST_OFFSET UINT64_C(0x018)
#define SHMETRICS_RESET_HIGHEST_OFFSET UINT64_C(0x020)
#define SHMETRICS_RESET_ERROR_OFFSET UINT64_C(0x028)
#define SHMETRICS_RESET_INVALID_OFFSET UINT64_C(0x038)

/* Line 0 of a baseline in a reset table, NB buckets behind it. Only if the table is in force, and the record's
 * time there is not 0. */
struct shmetrics_reset_block {
    uint64_t reset_count;                    /* 0x000 a64 */
    uint64_t reset_sum;                      /* 0x008 a64 */
    uint64_t reset_sum_high;                 /* 0x010 a64 */
    uint64_t reset_lowest;                   /* 0x018 a64 */
    uint64_t reset_highest;                  /* 0x020 a64 */
    uint64_t reset_error;                    /* 0x028 a64 */
    uint64_t reserved_030;                   /* 0x030 bytes */
    uint64_t reset_invalid;                  /* 0x038 a64 */
    uint64_t reserved_040[8];                /* 0x040 bytes */
};

/* ---- The state [9.7] ---- */

#define SHMETRICS_STATE_LENGTH UINT64_C(64)
#define SHMETRICS_STATE_COUNT_OFFSET UINT64_C(0x000)
#define SHMETRICS_STATE_SUM_OFFSET UINT64_C(0x008)
#define SHMETRICS_STATE_LOWEST_OFFSET UINT64_C(0x010)
#define SHMETRICS_STATE_HIGHEST_OFFSET UINT64_C(0x018)
#define SHMETRICS_STATE_MINIMUM_OFFSET UINT64_C(0x020)
#define SHMETRICS_STATE_MAXIMUM_OFFSET UINT64_C(0x028)
#define SHMETRICS_STATE_INVALID_OFFSET UINT64_C(0x030)

/* The head of a copy in latch and ring; its buckets follow. */
struct shmetrics_state {
    uint64_t state_count;                    /* 0x000 a64 */
    uint64_t state_sum;                      /* 0x008 a64 */
    uint64_t state_lowest;                   /* 0x010 a64 */
    uint64_t state_highest;                  /* 0x018 a64 */
    uint64_t state_minimum;                  /* 0x020 a64 */
    uint64_t state_maximum;                  /* 0x028 a64 */
    uint64_t state_invalid;                  /* 0x030 a64 */
    uint64_t reserved_038;                   /* 0x038 bytes */
};

/* ---- The ring slot [9.7] ---- */

#define SHMETRICS_RING_SLOT_LENGTH UINT64_C(16)
#define SHMETRICS_RING_BEGIN_OFFSET UINT64_C(0x000)
#define SHMETRICS_RING_LABEL_OFFSET UINT64_C(0x008)

/* The head of a copy in the ring; a state follows. */
struct shmetrics_ring_slot {
    uint64_t ring_begin;                     /* 0x000 a64 */
    uint64_t ring_label;                     /* 0x008 a64 */
};

/* ---- The events block [9.12] ---- */

#define SHMETRICS_EVENTS_BLOCK_LENGTH UINT64_C(128)
#define SHMETRICS_EVENTS_BLOCK_EVENT_POSITION_OFFSET UINT64_C(0x000)
#define SHMETRICS_EVENTS_BLOCK_EVENT_DROPPED_OFFSET UINT64_C(0x008)
#define SHMETRICS_EVENTS_BLOCK_EVENT_BASELINE_OFFSET UINT64_C(0x060)

/* Line 0 of a block of events; the records follow. In the shared lane there is nothing else. */
struct shmetrics_events_block {
    uint64_t event_position;                 /* 0x000 a64 */
    uint64_t event_dropped;                  /* 0x008 a64 */
    uint64_t reserved_010[10];               /* 0x010 bytes */
    uint64_t event_baseline;                 /* 0x060 a64 */
    uint64_t reserved_068[3];                /* 0x068 bytes */
};

/* ---- The event [9.12] ---- */

#define SHMETRICS_EVENT_LENGTH UINT64_C(32)
#define SHMETRICS_EVENT_SEQUENCE_OFFSET UINT64_C(0x000)
#define SHMETRICS_EVENT_TIME_OFFSET UINT64_C(0x008)
#define SHMETRICS_EVENT_SHAPE_OFFSET UINT64_C(0x010)
#define SHMETRICS_EVENT_WRITER_OFFSET UINT64_C(0x018)

/* The head of a record of a ring of events; its payload follows, as the schema of the series says. */
struct shmetrics_event {
    uint64_t event_sequence;                 /* 0x000 a64 */
    uint64_t event_time;                     /* 0x008 a64 */
    uint64_t event_shape;                    /* 0x010 a64 */
    uint64_t event_writer;                   /* 0x018 tag */
};

/* ---- The samples block [9.13] ---- */

#define SHMETRICS_SAMPLES_BLOCK_LENGTH UINT64_C(128)
#define SHMETRICS_SAMPLES_BLOCK_SAMPLES_BEGUN_OFFSET UINT64_C(0x000)
#define SHMETRICS_SAMPLES_BLOCK_SAMPLES_ENDED_OFFSET UINT64_C(0x008)
#define SHMETRICS_SAMPLES_BLOCK_SAMPLES_INVALID_OFFSET UINT64_C(0x010)
#define SHMETRICS_SAMPLES_BLOCK_SAMPLES_BASELINE_OFFSET UINT64_C(0x018)

/* Line 0 of a block of samples, in lanes and in the shared lane; the entries follow. */
struct shmetrics_samples_block {
    uint64_t samples_begun;                  /* 0x000 a64 */
    uint64_t samples_ended;                  /* 0x008 a64 */
    uint64_t samples_invalid;                /* 0x010 a64 */
    uint64_t samples_baseline;               /* 0x018 a64 */
    uint64_t reserved_020[12];               /* 0x020 bytes */
};

/* ---- The sample [9.13] ---- */

#define SHMETRICS_SAMPLE_LENGTH UINT64_C(16)
#define SHMETRICS_SAMPLE_TIME_NS_OFFSET UINT64_C(0x000)
#define SHMETRICS_SAMPLE_VALUE_OFFSET UINT64_C(0x008)

/* An entry: a value, and when it was recorded. */
struct shmetrics_sample {
    uint64_t sample_time_ns;                 /* 0x000 a64 */
    uint64_t sample_value;                   /* 0x008 a64 */
};

/* ---- The in flight block [9.14] ---- */

#define SHMETRICS_IN_FLIGHT_BLOCK_LENGTH UINT64_C(128)
#define SHMETRICS_IN_FLIGHT_OVERFLOW_OFFSET UINT64_C(0x000)
#define SHMETRICS_IN_FLIGHT_FORGOTTEN_OFFSET UINT64_C(0x008)

/* Line 0 of a table of what is in flight; its buckets follow. In the shared lane only. */
struct shmetrics_in_flight_block {
    uint64_t in_flight_overflow;             /* 0x000 a64 */
    uint64_t in_flight_forgotten;            /* 0x008 a64 */
    uint64_t reserved_010[14];               /* 0x010 bytes */
};

/* ---- The in flight text [9.14] ---- */

#define SHMETRICS_IN_FLIGHT_TEXT_LENGTH UINT64_C(128)
#define SHMETRICS_KEY_WORD_OFFSET UINT64_C(0x000)
#define SHMETRICS_KEY_TEXT_OFFSET UINT64_C(0x008)
#define SHMETRICS_KEY_TEXT_LENGTH UINT64_C(120)

/* The line of an entry's key. */
struct shmetrics_in_flight_text {
    uint64_t key_word;                       /* 0x000 a64 */
    uint64_t key_text[15];                   /* 0x008 text */
};

/* ---- The text block [9.15] ---- */

#define SHMETRICS_TEXT_BLOCK_LENGTH UINT64_C(128)
#define SHMETRICS_TEXT_HEAD_OFFSET UINT64_C(0x000)
#define SHMETRICS_TEXT_REFUSED_OFFSET UINT64_C(0x008)

/* Line 0 of a text that is replaced as a whole; eight slots follow. In the shared lane only. */
struct shmetrics_text_block {
    uint64_t text_head;                      /* 0x000 a64 */
    uint64_t text_refused;                   /* 0x008 a64 */
    uint64_t reserved_010[14];               /* 0x010 bytes */
};

/* ---- The text slot [9.15] ---- */

#define SHMETRICS_TEXT_SLOT_LENGTH UINT64_C(32)
#define SHMETRICS_TEXT_CLAIM_OFFSET UINT64_C(0x000)
#define SHMETRICS_TEXT_BEGIN_OFFSET UINT64_C(0x008)
#define SHMETRICS_TEXT_CONTENT_OFFSET UINT64_C(0x010)
#define SHMETRICS_TEXT_SET_NS_OFFSET UINT64_C(0x018)

/* The head of a slot; its text follows. */
struct shmetrics_text_slot {
    uint64_t text_claim;                     /* 0x000 tag */
    uint64_t text_begin;                     /* 0x008 a64 */
    uint64_t text_content;                   /* 0x010 a64 */
    uint64_t text_set_ns;                    /* 0x018 a64 */
};

/* ---- The group block [9.16] ---- */

#define SHMETRICS_GROUP_BLOCK_LENGTH UINT64_C(128)
#define SHMETRICS_GROUP_BLOCK_GROUP_BEGUN_OFFSET UINT64_C(0x000)
#define SHMETRICS_GROUP_BLOCK_GROUP_LANDED_OFFSET UINT64_C(0x008)
#define SHMETRICS_GROUP_BLOCK_GROUP_BASELINE_OFFSET UINT64_C(0x010)

/* Line 0 of a group. In the shared lane its fields follow; in lanes their baseline, and at 0x100 the copies. */
struct shmetrics_group_block {
    uint64_t group_begun;                    /* 0x000 a64 */
    uint64_t group_landed;                   /* 0x008 a64 */
    uint64_t group_baseline;                 /* 0x010 a64 */
    uint64_t reserved_018[13];               /* 0x018 bytes */
};

/* ---- The structures are laid out as the file is ---- */

#define SHMETRICS_SIZE(name, length) \
    SHMETRICS_STATIC_ASSERT(sizeof(struct shmetrics_##name) == (length), "size of " #name)
#define SHMETRICS_AT(name, member, offset) \
    SHMETRICS_STATIC_ASSERT(offsetof(struct shmetrics_##name, member) == (offset), #name ": " #member)

SHMETRICS_SIZE(header, 512);
SHMETRICS_AT(header, magic, SHMETRICS_HEADER_MAGIC_OFFSET);
SHMETRICS_AT(header, version, SHMETRICS_HEADER_VERSION_OFFSET);
SHMETRICS_AT(header, compatible_from, SHMETRICS_HEADER_COMPATIBLE_FROM_OFFSET);
SHMETRICS_AT(header, header_length, SHMETRICS_HEADER_LENGTH_OFFSET);
SHMETRICS_AT(header, required_features, SHMETRICS_HEADER_REQUIRED_FEATURES_OFFSET);
SHMETRICS_AT(header, optional_features, SHMETRICS_HEADER_OPTIONAL_FEATURES_OFFSET);
SHMETRICS_AT(header, file_length, SHMETRICS_HEADER_FILE_LENGTH_OFFSET);
SHMETRICS_AT(header, process_slots, SHMETRICS_HEADER_PROCESS_SLOTS_OFFSET);
SHMETRICS_AT(header, lanes, SHMETRICS_HEADER_LANES_OFFSET);
SHMETRICS_AT(header, series, SHMETRICS_HEADER_SERIES_OFFSET);
SHMETRICS_AT(header, records, SHMETRICS_HEADER_RECORDS_OFFSET);
SHMETRICS_AT(header, index_entries, SHMETRICS_HEADER_INDEX_ENTRIES_OFFSET);
SHMETRICS_AT(header, text_length, SHMETRICS_HEADER_TEXT_LENGTH_OFFSET);
SHMETRICS_AT(header, counters, SHMETRICS_HEADER_COUNTERS_OFFSET);
SHMETRICS_AT(header, gauges, SHMETRICS_HEADER_GAUGES_OFFSET);
SHMETRICS_AT(header, blocks_length, SHMETRICS_HEADER_BLOCKS_LENGTH_OFFSET);
SHMETRICS_AT(header, budget, SHMETRICS_HEADER_BUDGET_OFFSET);
SHMETRICS_AT(header, epoch_length_ns, SHMETRICS_HEADER_EPOCH_LENGTH_NS_OFFSET);
SHMETRICS_AT(header, index_region, SHMETRICS_HEADER_INDEX_REGION_OFFSET);
SHMETRICS_AT(header, records_region, SHMETRICS_HEADER_RECORDS_REGION_OFFSET);
SHMETRICS_AT(header, text_region, SHMETRICS_HEADER_TEXT_REGION_OFFSET);
SHMETRICS_AT(header, process_directory_region, SHMETRICS_HEADER_PROCESS_DIRECTORY_REGION_OFFSET);
SHMETRICS_AT(header, lane_directory_region, SHMETRICS_HEADER_LANE_DIRECTORY_REGION_OFFSET);
SHMETRICS_AT(header, slots_region, SHMETRICS_HEADER_SLOTS_REGION_OFFSET);
SHMETRICS_AT(header, slot_stride, SHMETRICS_HEADER_SLOT_STRIDE_OFFSET);
SHMETRICS_AT(header, shared_counters_region, SHMETRICS_HEADER_SHARED_COUNTERS_REGION_OFFSET);
SHMETRICS_AT(header, shared_blocks_region, SHMETRICS_HEADER_SHARED_BLOCKS_REGION_OFFSET);
SHMETRICS_AT(header, lanes_region, SHMETRICS_HEADER_LANES_REGION_OFFSET);
SHMETRICS_AT(header, lane_stride, SHMETRICS_HEADER_LANE_STRIDE_OFFSET);
SHMETRICS_AT(header, lane_counters, SHMETRICS_HEADER_LANE_COUNTERS_OFFSET);
SHMETRICS_AT(header, lane_baseline, SHMETRICS_HEADER_LANE_BASELINE_OFFSET);
SHMETRICS_AT(header, lane_blocks, SHMETRICS_HEADER_LANE_BLOCKS_OFFSET);
SHMETRICS_AT(header, boot_id_high, SHMETRICS_HEADER_BOOT_ID_HIGH_OFFSET);
SHMETRICS_AT(header, boot_id_low, SHMETRICS_HEADER_BOOT_ID_LOW_OFFSET);
SHMETRICS_AT(header, created_ns, SHMETRICS_HEADER_CREATED_NS_OFFSET);
SHMETRICS_AT(header, created_monotonic_ns, SHMETRICS_HEADER_CREATED_MONOTONIC_NS_OFFSET);
SHMETRICS_AT(header, segment_id, SHMETRICS_HEADER_SEGMENT_ID_OFFSET);
SHMETRICS_AT(header, writer_features, SHMETRICS_HEADER_WRITER_FEATURES_OFFSET);
SHMETRICS_AT(header, errors, SHMETRICS_HEADER_ERRORS_OFFSET);
SHMETRICS_AT(header, errors_region, SHMETRICS_HEADER_ERRORS_REGION_OFFSET);
SHMETRICS_AT(header, reset_tables, SHMETRICS_HEADER_RESET_TABLES_OFFSET);
SHMETRICS_AT(header, resets_region, SHMETRICS_HEADER_RESETS_REGION_OFFSET);
SHMETRICS_AT(header, reset_stride, SHMETRICS_HEADER_RESET_STRIDE_OFFSET);
SHMETRICS_AT(header, checksum, SHMETRICS_HEADER_CHECKSUM_OFFSET);

SHMETRICS_SIZE(mutable_header, 3584);
SHMETRICS_AT(mutable_header, reserved, SHMETRICS_HEADER_RESERVED_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, text_used, SHMETRICS_HEADER_TEXT_USED_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, counter_placement, SHMETRICS_HEADER_COUNTER_PLACEMENT_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, gauge_placement, SHMETRICS_HEADER_GAUGE_PLACEMENT_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, block_placement, SHMETRICS_HEADER_BLOCK_PLACEMENT_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, committed, SHMETRICS_HEADER_COMMITTED_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, ticker, SHMETRICS_HEADER_TICKER_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, next_id, SHMETRICS_HEADER_NEXT_ID_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, stamp, SHMETRICS_HEADER_STAMP_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, retired, SHMETRICS_HEADER_RETIRED_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, loss_lanes, SHMETRICS_HEADER_LOSS_LANES_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, loss_slots, SHMETRICS_HEADER_LOSS_SLOTS_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, loss_storage, SHMETRICS_HEADER_LOSS_STORAGE_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, loss_budget, SHMETRICS_HEADER_LOSS_BUDGET_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, loss_gauge_writes, SHMETRICS_HEADER_LOSS_GAUGE_WRITES_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, loss_refused_label_sets, SHMETRICS_HEADER_LOSS_REFUSED_LABEL_SETS_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, loss_label_sets, SHMETRICS_HEADER_LOSS_LABEL_SETS_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, anomalies, SHMETRICS_HEADER_ANOMALIES_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, loss_registrations, SHMETRICS_HEADER_LOSS_REGISTRATIONS_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, loss_errors, SHMETRICS_HEADER_LOSS_ERRORS_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, adoptions, SHMETRICS_HEADER_ADOPTIONS_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);
SHMETRICS_AT(mutable_header, reset, SHMETRICS_HEADER_RESET_OFFSET - SHMETRICS_MUTABLE_HEADER_OFFSET);

SHMETRICS_SIZE(record, 128);
SHMETRICS_AT(record, claim, SHMETRICS_RECORD_CLAIM_OFFSET);
SHMETRICS_AT(record, ready, SHMETRICS_RECORD_READY_OFFSET);
SHMETRICS_AT(record, shape, SHMETRICS_RECORD_SHAPE_OFFSET);
SHMETRICS_AT(record, hash, SHMETRICS_RECORD_HASH_OFFSET);
SHMETRICS_AT(record, text, SHMETRICS_RECORD_TEXT_OFFSET);
SHMETRICS_AT(record, extra, SHMETRICS_RECORD_EXTRA_OFFSET);
SHMETRICS_AT(record, unit, SHMETRICS_RECORD_UNIT_OFFSET);
SHMETRICS_AT(record, factor, SHMETRICS_RECORD_FACTOR_OFFSET);
SHMETRICS_AT(record, buckets, SHMETRICS_RECORD_BUCKETS_OFFSET);
SHMETRICS_AT(record, length, SHMETRICS_RECORD_LENGTH_OFFSET);
SHMETRICS_AT(record, created, SHMETRICS_RECORD_CREATED_OFFSET);
SHMETRICS_AT(record, checksum, SHMETRICS_RECORD_CHECKSUM_OFFSET);
SHMETRICS_AT(record, cell, SHMETRICS_RECORD_CELL_OFFSET);
SHMETRICS_AT(record, members, SHMETRICS_RECORD_MEMBERS_OFFSET);
SHMETRICS_AT(record, room, SHMETRICS_RECORD_ROOM_OFFSET);

SHMETRICS_SIZE(process_entry, 384);
SHMETRICS_AT(process_entry, process_owner, SHMETRICS_PROCESS_OWNER_OFFSET);
SHMETRICS_AT(process_entry, process_committed, SHMETRICS_PROCESS_COMMITTED_OFFSET);
SHMETRICS_AT(process_entry, process_description, SHMETRICS_PROCESS_DESCRIPTION_OFFSET);
SHMETRICS_AT(process_entry, process_pid, SHMETRICS_PROCESS_PID_OFFSET);
SHMETRICS_AT(process_entry, process_pid_namespace, SHMETRICS_PROCESS_PID_NAMESPACE_OFFSET);
SHMETRICS_AT(process_entry, process_start_ticks, SHMETRICS_PROCESS_START_TICKS_OFFSET);
SHMETRICS_AT(process_entry, process_claimed_ns, SHMETRICS_PROCESS_CLAIMED_NS_OFFSET);
SHMETRICS_AT(process_entry, process_role, SHMETRICS_PROCESS_ROLE_OFFSET);
SHMETRICS_AT(process_entry, process_command, SHMETRICS_PROCESS_COMMAND_OFFSET);

SHMETRICS_SIZE(lane_entry, 128);
SHMETRICS_AT(lane_entry, lane_owner, SHMETRICS_LANE_OWNER_OFFSET);
SHMETRICS_AT(lane_entry, lane_incarnation, SHMETRICS_LANE_INCARNATION_OFFSET);
SHMETRICS_AT(lane_entry, lane_committed, SHMETRICS_LANE_COMMITTED_OFFSET);
SHMETRICS_AT(lane_entry, lane_baseline_word, SHMETRICS_LANE_BASELINE_WORD_OFFSET);
SHMETRICS_AT(lane_entry, lane_baseline_counters, SHMETRICS_LANE_BASELINE_COUNTERS_OFFSET);
SHMETRICS_AT(lane_entry, lane_baseline_owner, SHMETRICS_LANE_BASELINE_OWNER_OFFSET);

SHMETRICS_SIZE(error_entry, 256);
SHMETRICS_AT(error_entry, error_claim, SHMETRICS_ERROR_CLAIM_OFFSET);
SHMETRICS_AT(error_entry, error_ready, SHMETRICS_ERROR_READY_OFFSET);
SHMETRICS_AT(error_entry, error_hash, SHMETRICS_ERROR_HASH_OFFSET);
SHMETRICS_AT(error_entry, error_length, SHMETRICS_ERROR_LENGTH_OFFSET);
SHMETRICS_AT(error_entry, error_count, SHMETRICS_ERROR_COUNT_OFFSET);
SHMETRICS_AT(error_entry, error_first_ns, SHMETRICS_ERROR_FIRST_NS_OFFSET);
SHMETRICS_AT(error_entry, error_last_ns, SHMETRICS_ERROR_LAST_NS_OFFSET);
SHMETRICS_AT(error_entry, error_text, SHMETRICS_ERROR_TEXT_OFFSET);

SHMETRICS_SIZE(gauge_cell, 128);
SHMETRICS_AT(gauge_cell, gauge_value, SHMETRICS_GAUGE_VALUE_OFFSET);
SHMETRICS_AT(gauge_cell, gauge_stamp, SHMETRICS_GAUGE_STAMP_OFFSET);

SHMETRICS_SIZE(block, 128);
SHMETRICS_AT(block, count, SHMETRICS_BLOCK_COUNT_OFFSET);
SHMETRICS_AT(block, sum, SHMETRICS_BLOCK_SUM_OFFSET);
SHMETRICS_AT(block, sum_odd, SHMETRICS_BLOCK_SUM_ODD_OFFSET);
SHMETRICS_AT(block, lowest, SHMETRICS_BLOCK_LOWEST_OFFSET);
SHMETRICS_AT(block, highest, SHMETRICS_BLOCK_HIGHEST_OFFSET);
SHMETRICS_AT(block, minimum, SHMETRICS_BLOCK_MINIMUM_OFFSET);
SHMETRICS_AT(block, maximum, SHMETRICS_BLOCK_MAXIMUM_OFFSET);
SHMETRICS_AT(block, invalid, SHMETRICS_BLOCK_INVALID_OFFSET);
SHMETRICS_AT(block, epoch, SHMETRICS_BLOCK_EPOCH_OFFSET);
SHMETRICS_AT(block, latch_begin, SHMETRICS_BLOCK_LATCH_BEGIN_OFFSET);
SHMETRICS_AT(block, latch_version, SHMETRICS_BLOCK_LATCH_VERSION_OFFSET);
SHMETRICS_AT(block, rotations, SHMETRICS_BLOCK_ROTATIONS_OFFSET);
SHMETRICS_AT(block, baseline_count, SHMETRICS_BLOCK_BASELINE_COUNT_OFFSET);
SHMETRICS_AT(block, baseline_sum, SHMETRICS_BLOCK_BASELINE_SUM_OFFSET);

SHMETRICS_SIZE(reset_block, 128);
SHMETRICS_AT(reset_block, reset_count, SHMETRICS_RESET_COUNT_OFFSET);
SHMETRICS_AT(reset_block, reset_sum, SHMETRICS_RESET_SUM_OFFSET);
SHMETRICS_AT(reset_block, reset_sum_high, SHMETRICS_RESET_SUM_HIGH_OFFSET);
SHMETRICS_AT(reset_block, reset_lowest, SHMETRICS_RESET_LOWEST_OFFSET);
SHMETRICS_AT(reset_block, reset_highest, SHMETRICS_RESET_HIGHEST_OFFSET);
SHMETRICS_AT(reset_block, reset_error, SHMETRICS_RESET_ERROR_OFFSET);
SHMETRICS_AT(reset_block, reset_invalid, SHMETRICS_RESET_INVALID_OFFSET);

SHMETRICS_SIZE(state, 64);
SHMETRICS_AT(state, state_count, SHMETRICS_STATE_COUNT_OFFSET);
SHMETRICS_AT(state, state_sum, SHMETRICS_STATE_SUM_OFFSET);
SHMETRICS_AT(state, state_lowest, SHMETRICS_STATE_LOWEST_OFFSET);
SHMETRICS_AT(state, state_highest, SHMETRICS_STATE_HIGHEST_OFFSET);
SHMETRICS_AT(state, state_minimum, SHMETRICS_STATE_MINIMUM_OFFSET);
SHMETRICS_AT(state, state_maximum, SHMETRICS_STATE_MAXIMUM_OFFSET);
SHMETRICS_AT(state, state_invalid, SHMETRICS_STATE_INVALID_OFFSET);

SHMETRICS_SIZE(ring_slot, 16);
SHMETRICS_AT(ring_slot, ring_begin, SHMETRICS_RING_BEGIN_OFFSET);
SHMETRICS_AT(ring_slot, ring_label, SHMETRICS_RING_LABEL_OFFSET);

SHMETRICS_SIZE(events_block, 128);
SHMETRICS_AT(events_block, event_position, SHMETRICS_EVENTS_BLOCK_EVENT_POSITION_OFFSET);
SHMETRICS_AT(events_block, event_dropped, SHMETRICS_EVENTS_BLOCK_EVENT_DROPPED_OFFSET);
SHMETRICS_AT(events_block, event_baseline, SHMETRICS_EVENTS_BLOCK_EVENT_BASELINE_OFFSET);

SHMETRICS_SIZE(event, 32);
SHMETRICS_AT(event, event_sequence, SHMETRICS_EVENT_SEQUENCE_OFFSET);
SHMETRICS_AT(event, event_time, SHMETRICS_EVENT_TIME_OFFSET);
SHMETRICS_AT(event, event_shape, SHMETRICS_EVENT_SHAPE_OFFSET);
SHMETRICS_AT(event, event_writer, SHMETRICS_EVENT_WRITER_OFFSET);

SHMETRICS_SIZE(samples_block, 128);
SHMETRICS_AT(samples_block, samples_begun, SHMETRICS_SAMPLES_BLOCK_SAMPLES_BEGUN_OFFSET);
SHMETRICS_AT(samples_block, samples_ended, SHMETRICS_SAMPLES_BLOCK_SAMPLES_ENDED_OFFSET);
SHMETRICS_AT(samples_block, samples_invalid, SHMETRICS_SAMPLES_BLOCK_SAMPLES_INVALID_OFFSET);
SHMETRICS_AT(samples_block, samples_baseline, SHMETRICS_SAMPLES_BLOCK_SAMPLES_BASELINE_OFFSET);

SHMETRICS_SIZE(sample, 16);
SHMETRICS_AT(sample, sample_time_ns, SHMETRICS_SAMPLE_TIME_NS_OFFSET);
SHMETRICS_AT(sample, sample_value, SHMETRICS_SAMPLE_VALUE_OFFSET);

SHMETRICS_SIZE(in_flight_block, 128);
SHMETRICS_AT(in_flight_block, in_flight_overflow, SHMETRICS_IN_FLIGHT_OVERFLOW_OFFSET);
SHMETRICS_AT(in_flight_block, in_flight_forgotten, SHMETRICS_IN_FLIGHT_FORGOTTEN_OFFSET);

SHMETRICS_SIZE(in_flight_text, 128);
SHMETRICS_AT(in_flight_text, key_word, SHMETRICS_KEY_WORD_OFFSET);
SHMETRICS_AT(in_flight_text, key_text, SHMETRICS_KEY_TEXT_OFFSET);

SHMETRICS_SIZE(text_block, 128);
SHMETRICS_AT(text_block, text_head, SHMETRICS_TEXT_HEAD_OFFSET);
SHMETRICS_AT(text_block, text_refused, SHMETRICS_TEXT_REFUSED_OFFSET);

SHMETRICS_SIZE(text_slot, 32);
SHMETRICS_AT(text_slot, text_claim, SHMETRICS_TEXT_CLAIM_OFFSET);
SHMETRICS_AT(text_slot, text_begin, SHMETRICS_TEXT_BEGIN_OFFSET);
SHMETRICS_AT(text_slot, text_content, SHMETRICS_TEXT_CONTENT_OFFSET);
SHMETRICS_AT(text_slot, text_set_ns, SHMETRICS_TEXT_SET_NS_OFFSET);

SHMETRICS_SIZE(group_block, 128);
SHMETRICS_AT(group_block, group_begun, SHMETRICS_GROUP_BLOCK_GROUP_BEGUN_OFFSET);
SHMETRICS_AT(group_block, group_landed, SHMETRICS_GROUP_BLOCK_GROUP_LANDED_OFFSET);
SHMETRICS_AT(group_block, group_baseline, SHMETRICS_GROUP_BLOCK_GROUP_BASELINE_OFFSET);

#undef SHMETRICS_SIZE
#undef SHMETRICS_AT

/* ---- Boundaries of exponential buckets [9.8] ---- */

/* M[j]: the mantissa of 2^(j/128), rounded to the nearest. All implementations use exactly these floats. */
static const uint64_t shmetrics_mantissas[128] = {
    0x0000000000000, 0x0163da9fb3335, 0x02c9a3e778061, 0x04315e86e7f85, 0x059b0d3158574, 0x0706b29ddf6de,
    0x0874518759bc8, 0x09e3ecac6f383, 0x0b5586cf9890f, 0x0cc922b7247f7, 0x0e3ec32d3d1a2, 0x0fb66affed31b,
    0x11301d0125b51, 0x12abdc06c31cc, 0x1429aaea92de0, 0x15a98c8a58e51, 0x172b83c7d517b, 0x18af9388c8dea,
    0x1a35beb6fcb75, 0x1bbe084045cd4, 0x1d4873168b9aa, 0x1ed5022fcd91d, 0x2063b88628cd6, 0x21f49917ddc96,
    0x2387a6e756238, 0x251ce4fb2a63f, 0x26b4565e27cdd, 0x284dfe1f56381, 0x29e9df51fdee1, 0x2b87fd0dad990,
    0x2d285a6e4030b, 0x2ecafa93e2f56, 0x306fe0a31b715, 0x32170fc4cd831, 0x33c08b26416ff, 0x356c55f929ff1,
    0x371a7373aa9cb, 0x38cae6d05d866, 0x3a7db34e59ff7, 0x3c32dc313a8e5, 0x3dea64c123422, 0x3fa4504ac801c,
    0x4160a21f72e2a, 0x431f5d950a897, 0x44e086061892d, 0x46a41ed1d0057, 0x486a2b5c13cd0, 0x4a32af0d7d3de,
    0x4bfdad5362a27, 0x4dcb299fddd0d, 0x4f9b2769d2ca7, 0x516daa2cf6642, 0x5342b569d4f82, 0x551a4ca5d920f,
    0x56f4736b527da, 0x58d12d497c7fd, 0x5ab07dd485429, 0x5c9268a5946b7, 0x5e76f15ad2148, 0x605e1b976dc09,
    0x6247eb03a5585, 0x6434634ccc320, 0x6623882552225, 0x68155d44ca973, 0x6a09e667f3bcd, 0x6c012750bdabf,
    0x6dfb23c651a2f, 0x6ff7df9519484, 0x71f75e8ec5f74, 0x73f9a48a58174, 0x75feb564267c9, 0x780694fde5d3f,
    0x7a11473eb0187, 0x7c1ed0130c132, 0x7e2f336cf4e62, 0x80427543e1a12, 0x82589994cce13, 0x8471a4623c7ad,
    0x868d99b4492ed, 0x88ac7d98a6699, 0x8ace5422aa0db, 0x8cf3216b5448c, 0x8f1ae99157736, 0x9145b0b91ffc6,
    0x93737b0cdc5e5, 0x95a44cbc8520f, 0x97d829fde4e50, 0x9a0f170ca07ba, 0x9c49182a3f090, 0x9e86319e32323,
    0xa0c667b5de565, 0xa309bec4a2d33, 0xa5503b23e255d, 0xa799e1330b358, 0xa9e6b5579fdbf, 0xac36bbfd3f37a,
    0xae89f995ad3ad, 0xb0e07298db666, 0xb33a2b84f15fb, 0xb59728de5593a, 0xb7f76f2fb5e47, 0xba5b030a1064a,
    0xbcc1e904bc1d2, 0xbf2c25bd71e09, 0xc199bdd85529c, 0xc40ab5fffd07a, 0xc67f12e57d14b, 0xc8f6d9406e7b5,
    0xcb720dcef9069, 0xcdf0b555dc3fa, 0xd072d4a07897c, 0xd2f87080d89f2, 0xd5818dcfba487, 0xd80e316c98398,
    0xda9e603db3285, 0xdd321f301b460, 0xdfc97337b9b5f, 0xe264614f5a129, 0xe502ee78b3ff6, 0xe7a51fbc74c83,
    0xea4afa2a490da, 0xecf482d8e67f1, 0xefa1bee615a27, 0xf252b376bba97, 0xf50765b6e4540, 0xf7bfdad9cbe14,
    0xfa7c1819e90d8, 0xfd3c22b8f71f1,
};

#include "shmetrics_functions.h"

#endif
