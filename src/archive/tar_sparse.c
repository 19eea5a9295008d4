/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "archive/tar_reader.h"
#include "base/memory.h"

/* Adds one part of the map; parts rise and do not overlap. */
static int add_segment(struct tar_reader *r, uint64_t offset, uint64_t length, struct error *err)
{
    uint64_t reached = 0;
    if (r->segment_count > 0) {
        const struct tar_segment *last = &r->segments[r->segment_count - 1];
        reached = last->offset + last->length;
    }
    if (offset > r->entry.size || length > r->entry.size - offset || offset < reached)
        return tar_damaged(r, "the map of a sparse file runs out of it or backwards", err);
    if (length == 0) /* GNU tar marks the end of a file that ends in a hole so */
        return 0;
    if (r->segment_count >= TAR_SEGMENTS_MAX)
        return tar_damaged(r, "a sparse file in too many parts", err);
    if (r->segment_count == r->segment_cap) {
        r->segment_cap = r->segment_cap ? r->segment_cap * 2 : 64;
        r->segments = xrealloc(r->segments, r->segment_cap, sizeof *r->segments);
    }
    r->segments[r->segment_count++] = (struct tar_segment){.offset = offset, .length = length};
    return 0;
}

/* --- the old GNU form: in the header and in blocks after it --- */

/* 1 when the map ends in these fields. */
static int add_fields(struct tar_reader *r, const char *fields, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const char *at = fields + i * 2 * TAR_NUMBER_LONG;
        uint64_t offset, length;
        if (at[TAR_NUMBER_LONG] == '\0')
            return 1;
        if (tar_number(at, TAR_NUMBER_LONG, TAR_SIZE_MAX, &offset) < 0 ||
            tar_number(at + TAR_NUMBER_LONG, TAR_NUMBER_LONG, TAR_SIZE_MAX, &length) < 0)
            return tar_damaged(r, "the map of a sparse file has a bad number", err);
        int rc = add_segment(r, offset, length, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int old_gnu(struct tar_reader *r, struct error *err)
{
    const char *header = (const char *)&r->block;
    if (tar_number(header + TAR_GNU_REAL_SIZE_AT, TAR_NUMBER_LONG, TAR_SIZE_MAX, &r->entry.size) <
        0)
        return tar_damaged(r, "a sparse file with a bad size", err);
    int rc = add_fields(r, header + TAR_GNU_MAP_AT, TAR_GNU_MAP_IN_HEADER, err);
    bool more = header[TAR_GNU_EXTENDED_AT] != 0;
    while (rc >= 0 && more) {
        char block[TAR_BLOCK];
        int got = tar_take_block(r, block, err);
        if (got <= 0)
            return got < 0 ? got : tar_damaged(r, "it ends in the map of a sparse file", err);
        if (rc == 0)
            rc = add_fields(r, block, TAR_GNU_MAP_IN_EXTENSION, err);
        more = block[TAR_GNU_EXTENSION_MORE_AT] != 0;
    }
    return rc < 0 ? rc : 0;
}

/* --- pax form 1.0: decimal lines in front of the content, in whole blocks --- */

struct map_text {
    char block[TAR_BLOCK];
    size_t at;
};

static int next_line_number(struct tar_reader *r, struct map_text *text, uint64_t *number,
                            struct error *err)
{
    char digits[24];
    size_t length = 0;
    for (;;) {
        if (text->at == TAR_BLOCK) {
            if (r->left < TAR_BLOCK)
                return tar_damaged(r, "the map of a sparse file does not end", err);
            int got = tar_take_block(r, text->block, err);
            if (got <= 0)
                return got < 0 ? got : tar_damaged(r, "it ends in the map of a sparse file", err);
            r->left -= TAR_BLOCK;
            text->at = 0;
        }
        char c = text->block[text->at++];
        if (c == '\n')
            break;
        if (length == sizeof digits)
            return tar_damaged(r, "the map of a sparse file has a bad number", err);
        digits[length++] = c;
    }
    if (pax_number(digits, digits + length, TAR_SIZE_MAX, number) < 0)
        return tar_damaged(r, "the map of a sparse file has a bad number", err);
    return 0;
}

static int pax_1_0(struct tar_reader *r, struct error *err)
{
    struct map_text text = {.at = TAR_BLOCK};
    uint64_t count, offset, length;
    int rc = next_line_number(r, &text, &count, err);
    if (rc < 0)
        return rc;
    if (count > TAR_SEGMENTS_MAX)
        return tar_damaged(r, "a sparse file in too many parts", err);
    for (; count > 0; count--) {
        rc = next_line_number(r, &text, &offset, err);
        if (rc == 0)
            rc = next_line_number(r, &text, &length, err);
        if (rc == 0)
            rc = add_segment(r, offset, length, err);
        if (rc < 0)
            return rc;
    }
    r->entry.data_offset = stream_position(r->stream);
    return 0;
}

/* --- pax forms 0.0 and 0.1: in the extended header --- */

static int pax_0(struct tar_reader *r, struct error *err)
{
    if (r->pax.number_count % 2 != 0)
        return tar_damaged(r, "the map of a sparse file is not whole", err);
    for (size_t i = 0; i < r->pax.number_count; i += 2) {
        int rc = add_segment(r, r->pax.numbers[i], r->pax.numbers[i + 1], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int tar_sparse(struct tar_reader *r, struct error *err)
{
    bool old = r->entry.flag == 'S';
    bool modern = !old && r->pax.map_follows && r->pax.sparse_major == 1;
    if (r->entry.type != TAR_FILE || (!old && !modern && !r->pax.has_map))
        return 0;
    if (!old && !r->pax.has_sparse_size)
        return tar_damaged(r, "a sparse file without its size", err);
    if (!old)
        r->entry.size = r->pax.sparse_size;
    r->segment_count = 0;
    int rc = old ? old_gnu(r, err) : modern ? pax_1_0(r, err) : pax_0(r, err);
    if (rc < 0)
        return rc;
    uint64_t sum = 0; /* at most entry.size, for parts do not overlap */
    for (size_t i = 0; i < r->segment_count; i++)
        sum += r->segments[i].length;
    if (sum != r->left)
        return tar_damaged(r, "the map of a sparse file does not match its content", err);
    r->entry.sparse = true;
    r->entry.stored = sum;
    r->entry.segments = r->segments;
    r->entry.segment_count = r->segment_count;
    return 0;
}
