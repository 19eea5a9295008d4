/* SPDX-License-Identifier: Apache-2.0 */
/* What steps have made is kept: layers first, when all of them are on disk, then what names them.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/solve.h"

#define MADE_MAX (16u << 20)

struct made {
    char key[STEP_KEY_MAX];
    char entry[32];
    struct step_record record;
};

static bool read_line(const char *line, struct made *out)
{
    char layer[DIGEST_MAX], entry[sizeof out->entry], created[RFC3339_MAX], secrets[STEP_KEY_MAX];
    unsigned long long milliseconds;
    *out = (struct made){0};
    if (sscanf(line, "%64s %71s %31s %39s %llu %64s", out->key, layer, entry, created,
               &milliseconds, secrets) != 6)
        return false;
    if (!streq(secrets, "-"))
        memcpy(out->record.secrets, secrets, sizeof secrets);
    if (!streq(layer, "-") && !digest_valid(layer))
        return false;
    if (!streq(layer, "-"))
        memcpy(out->record.layer, layer, DIGEST_MAX);
    if (!streq(entry, "-"))
        memcpy(out->entry, entry, sizeof entry);
    memcpy(out->record.created, created, sizeof created);
    out->record.milliseconds = milliseconds;
    return true;
}

static void read_made(struct build *build, size_t stage, struct strv *lines)
{
    char name[32];
    autobuf text = {0};
    snprintf(name, sizeof name, "made-%zu", stage);
    if (read_file_at(build->staging.fd, name, MADE_MAX, &text, NULL) == 0)
        strv_split(lines, buf_text(&text), '\n');
}

static int publish(struct build *build, const struct strv *lines, bool layers, struct error *err)
{
    struct made made;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < lines->len; i++) {
        if (!read_line(lines->items[i], &made))
            continue;
        if (layers && made.entry[0])
            rc = staging_publish_layer(&build->staging, made.entry, made.record.layer, err);
        else if (!layers)
            rc = steps_keep(&build->staging, made.key, &made.record, err);
    }
    return rc;
}

int keep_made(struct build *build, struct error *err)
{
    autostrv lines = {0};
    for (size_t i = 0; i < build->file.stage_count; i++)
        read_made(build, i, &lines);
    if (lines.len == 0)
        return 0;
    if (syncfs(build->staging.fd) < 0)
        return error_errno(err, "cannot write the layers to disk");
    int rc = publish(build, &lines, true, err);
    return rc < 0 ? rc : publish(build, &lines, false, err);
}
