/* The part of read.c that counts what is in flight (SPEC.md 9.14, 10.23): only claims, neither starts nor keys. */

enum { IN_FLIGHT_ENTRIES = 8 };

struct in_flight { uint64_t working, parked, overflow, forgotten; };

/* Adds a table at this offset of the file. Of several entries of one key that live processes have, the first counts. */
static void count_in_flight(struct in_flight *into, uint64_t table, uint64_t buckets, int (*lives)(uint64_t slot, uint64_t incarnation))
{
    into->overflow += load(table + SHMETRICS_IN_FLIGHT_OVERFLOW_OFFSET);
    into->forgotten += load(table + SHMETRICS_IN_FLIGHT_FORGOTTEN_OFFSET);
    for (uint64_t bucket = 0; bucket < buckets; bucket++) {
        uint64_t start = table + SHMETRICS_LINE_LENGTH * (1 + 9 * bucket), tags[IN_FLIGHT_ENTRIES];
        int count = 0, known;
        for (uint64_t entry = 0; entry < IN_FLIGHT_ENTRIES; entry++) {
            uint64_t claim = load(start + 8 * entry), slot = claim >> 9 & 0x1fff, incarnation = claim >> 22 & 0x3ffff;
            if (claim == 0) continue;
            if (slot == 0 && incarnation == 0) into->parked++;
            else if (slot > 0 && slot <= g.process_slots && lives(slot - 1, incarnation)) {
                for (known = 0; known < count && tags[known] != claim >> 40; known++) {}
                if (known < count) continue;
                tags[count++] = claim >> 40;
                into->working++;
            }
        }
    }
}
