/* SPDX-License-Identifier: Apache-2.0 */
#include "container/journal_fields.h"

#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/journal.h"

#define SHORT_ID 12
#define NAME_MAX_LENGTH 64 /* the journal leaves out fields with longer names */
#define TAG_DEFAULT "{{.ID}}"

/* --- the tag ---------------------------------------------------------------------------------- */

static const char *without_algorithm(const char *digest)
{
    const char *colon = digest ? strchr(digest, ':') : NULL;
    return colon ? colon + 1 : digest;
}

/* Appends what a word of the template stands for; whether it is known. */
static bool add_word(const char *word, size_t length, const struct plan *plan, struct buf *out)
{
    const struct {
        const char *name, *value;
        int precision;
    } words[] = {
        {".ID", plan->id, SHORT_ID},
        {".FullID", plan->id, -1},
        {".Name", plan->name, -1},
        {".ImageName", plan->image_name, -1},
        {".ImageID", without_algorithm(plan->image_id), SHORT_ID},
        {".ImageFullID", plan->image_id, -1},
        {".DaemonName", "caisson", -1},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].name) == length && strncmp(words[i].name, word, length) == 0) {
            buf_fmt(out, "%.*s", words[i].precision, words[i].value ? words[i].value : "");
            return true;
        }
    return false;
}

int journal_tag(const char *tag, const struct plan *plan, struct buf *out, struct error *err)
{
    const char *at = tag, *open;
    while ((open = strstr(at, "{{"))) {
        const char *word = open + 2 + strspn(open + 2, " "), *close = strstr(word, "}}");
        size_t length = strcspn(word, " }");
        buf_add(out, at, (size_t)(open - at));
        if (!close || word + length + strspn(word + length, " ") != close ||
            !add_word(word, length, plan, out))
            return error_set(err, -EINVAL,
                             "--log-opt tag=%.60s: known are {{.ID}}, {{.FullID}}, {{.Name}}, "
                             "{{.ImageName}}, {{.ImageID}}, {{.ImageFullID}} and {{.DaemonName}}",
                             tag);
        at = close + 2;
    }
    buf_str(out, at);
    return 0;
}

/* --- fields ----------------------------------------------------------------------------------- */

static void add_field(struct buf *out, const char *name, const char *value)
{
    size_t length = strlen(value);
    if (!strchr(value, '\n')) {
        buf_fmt(out, "%s=%s\n", name, value);
        return;
    }
    char size[sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof size; i++)
        size[i] = (char)((uint64_t)length >> 8 * i);
    buf_fmt(out, "%s\n", name);
    buf_add(out, size, sizeof size);
    buf_add(out, value, length);
    buf_char(out, '\n');
}

/* As Docker makes names of fields: upper case, what the journal does not take is an underscore, and
 * none of these at the beginning, which marks what the journal itself knows. */
static void field_name(const char *name, size_t length, struct buf *out)
{
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
            c = '_';
        if (c != '_' || out->len > 0)
            buf_char(out, c);
    }
}

static bool is_ours(const char *field)
{
    static const char *const ours[] = {JOURNAL_MESSAGE, JOURNAL_PRIORITY, "IMAGE_NAME"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (streq(ours[i], field))
            return true;
    return starts_with(field, "CONTAINER_") || starts_with(field, "SYSLOG_");
}

/* "NAME=VALUE" items whose name was asked for. */
static void add_chosen(struct buf *out, const struct strv *names, const struct strv *items)
{
    for (size_t i = 0; names->len > 0 && i < items->len; i++) {
        const char *item = items->items[i];
        size_t length = strcspn(item, "=");
        autofree char *name = xstrndup(item, length);
        autobuf field = {0};
        if (!strv_has(names, name))
            continue;
        field_name(name, length, &field);
        if (field.len == 0 || field.len > NAME_MAX_LENGTH ||
            (*field.data >= '0' && *field.data <= '9') || is_ours(field.data))
            continue;
        add_field(out, field.data, item[length] ? item + length + 1 : "");
    }
}

int journal_fields(const struct plan *plan, struct buf *out, struct error *err)
{
    autobuf tag = {0};
    autofree char *id = xstrndup(plan->id, SHORT_ID);
    int rc = journal_tag(plan->log_tag ? plan->log_tag : TAG_DEFAULT, plan, &tag, err);
    if (rc < 0)
        return rc;
    add_field(out, "CONTAINER_ID", id);
    add_field(out, "CONTAINER_ID_FULL", plan->id);
    add_field(out, "CONTAINER_NAME", plan->name ? plan->name : "");
    add_field(out, "CONTAINER_TAG", buf_text(&tag));
    add_field(out, "IMAGE_NAME", plan->image_name ? plan->image_name : "");
    add_field(out, "SYSLOG_IDENTIFIER", buf_text(&tag));
    add_chosen(out, &plan->log_labels, &plan->labels);
    add_chosen(out, &plan->log_env, &plan->env);
    if (out->len > JOURNAL_FIELDS_MAX)
        return error_set(err, -E2BIG,
                         "the labels and variables of --log-opt labels= and env= are longer than "
                         "%d KiB: name fewer of them",
                         JOURNAL_FIELDS_MAX / 1024);
    return 0;
}

int journal_prepare(const struct plan *plan, struct error *err)
{
    autobuf fields = {0};
    autofd socket = journal_connect();
    if (socket < 0)
        return error_set(err, socket,
                         "cannot reach the journal at " JOURNAL_SOCKET
                         " (%s): make the container with --log-driver json-file where systemd's "
                         "journal does not run",
                         error_describe(socket));
    int rc = journal_fields(plan, &fields, err);
    if (rc < 0)
        return rc;
    autofd fd = memfd_create("caisson-fields", MFD_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "cannot make a file for the monitor");
    rc = write_all(fd, fields.data, fields.len);
    if (rc < 0)
        return error_set(err, rc, "cannot write to the monitor's file: %s", error_describe(rc));
    return take_fd(&fd);
}
