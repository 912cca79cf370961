/* The part of read.c that copies texts which are replaced as a whole (SPEC.md 9.15, 10.24). */

enum { TEXT_SLOTS = 8, TEXT_LOOKS = 64 };

struct copied_text { int is_set, is_unreadable; uint64_t content, set_ns, words[SHMETRICS_MAX_TEXT_CAPACITY / 8]; };

static uint64_t text_slot_length(uint64_t capacity) { return (32 + (capacity + 7) / 8 * 8 + 127) / 128 * 128; }

/* The hash of a key or a text (9.14), in the order in which the bytes stand in the file. */
static uint64_t hash_of(const char *bytes, size_t length)
{
    uint64_t hash = length;
    for (size_t at = 0; at <= (length + 7) / 8 * 8; at += 8) {
        uint64_t word = 0;
        for (size_t i = at; i < at + 8 && i < length; i++) word |= (uint64_t)(unsigned char)bytes[i] << 8 * (i - at);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

static int is_text(const struct copied_text *copy, uint64_t capacity)
{
    size_t length = copy->content & 0xffff;
    const char *bytes = (const char *)copy->words;
    return !(copy->content & 0xfffe0000) && length <= capacity && is_utf8(bytes, length) &&
           hash_of(bytes, length) >> 32 == copy->content >> 32;
}

/* Copies the text of the block at this offset of the file. */
static void copy_set_text(struct copied_text *copy, uint64_t block, uint64_t capacity)
{
    memset(copy, 0, sizeof *copy);
    for (int look = 0; look < TEXT_LOOKS; look++) {
        uint64_t head = load(block + SHMETRICS_TEXT_HEAD_OFFSET), number = head & 0xff;
        if (number == 0) return;
        if (number > TEXT_SLOTS) break;
        fence(); /* the head before the slot */
        uint64_t slot = block + SHMETRICS_LINE_LENGTH + (number - 1) * text_slot_length(capacity);
        copy->content = load(slot + SHMETRICS_TEXT_CONTENT_OFFSET);
        copy->set_ns = load(slot + SHMETRICS_TEXT_SET_NS_OFFSET);
        for (uint64_t word = 0; word < (capacity + 7) / 8; word++)
            copy->words[word] = load(slot + SHMETRICS_TEXT_SLOT_LENGTH + 8 * word);
        fence(); /* the slot before what it was written for */
        if (load(slot + SHMETRICS_TEXT_BEGIN_OFFSET) != head >> 8) continue;
        copy->is_set = is_text(copy, capacity);
        break;
    }
    copy->is_unreadable = !copy->is_set;
}
