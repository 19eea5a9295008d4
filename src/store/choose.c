/* SPDX-License-Identifier: Apache-2.0 */
#include "store/choose.h"

#include "base/text.h"

bool descriptor_is_index(const struct descriptor *descriptor)
{
    return streq(descriptor->media_type, MEDIA_INDEX) ||
           streq(descriptor->media_type, MEDIA_DOCKER_LIST);
}

bool index_entry_is_attachment(const struct index_entry *entry)
{
    return streq(entry->os, "unknown") ||
           descriptor_annotation(&entry->descriptor, "vnd.docker.reference.type");
}

bool index_entry_matches(const struct platform *platform, const struct index_entry *entry)
{
    return entry->os && entry->architecture &&
           platform_matches(platform, entry->os, entry->architecture, entry->variant);
}

const struct index_entry *index_choose(const struct platform *platform, const struct index *index)
{
    size_t candidates = 0;
    const struct index_entry *only = NULL;
    for (size_t i = 0; i < index->count; i++) {
        const struct index_entry *entry = &index->entries[i];
        if (index_entry_is_attachment(entry))
            continue;
        if (index_entry_matches(platform, entry))
            return entry;
        candidates++;
        only = entry;
    }
    return candidates == 1 && !(platform->chosen && only->os) ? only : NULL;
}

int index_no_match(const struct platform *platform, const struct index *index, const char *what,
                   struct error *err)
{
    autobuf have = {0};
    for (size_t i = 0; i < index->count && have.len < 400; i++)
        if (index->entries[i].architecture && !index_entry_is_attachment(&index->entries[i])) {
            buf_str(&have, have.len ? ", " : "");
            buf_printable(&have, index->entries[i].os ? index->entries[i].os : "");
            buf_char(&have, '/');
            buf_printable(&have, index->entries[i].architecture);
        }
    return error_set(err, -ENOENT, "%s has no image for %s/%s, only for: %s", what, platform->os,
                     platform->architecture, have.len ? buf_text(&have) : "none");
}
