/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/build_output.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "build/give.h"
#include "cmd/output_file.h"

static const char *const types[] = {
    [OUTPUT_IMAGE] = "image", [OUTPUT_OCI] = "oci",     [OUTPUT_DOCKER] = "docker",
    [OUTPUT_TAR] = "tar",     [OUTPUT_LOCAL] = "local", [OUTPUT_NONE] = "cacheonly",
};
#define TYPES (sizeof types / sizeof *types)

static int set_type(const char *word, const char *name, struct build_output *out, struct error *err)
{
    for (size_t i = 0; i < TYPES; i++)
        if (streq(types[i], name)) {
            out->type = (enum output_type)i;
            return 0;
        }
    const char *near = nearest_word(name, types, TYPES);
    return error_set(err, -EINVAL,
                     "--output %s: type %s is not known%s%s%s; write image, oci, "
                     "docker, tar or local",
                     word, name, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

static int check(const char *word, const struct build_output *o, struct error *err)
{
    if (o->type == OUTPUT_LOCAL && !o->path)
        return error_set(err, -EINVAL, "--output %s: a directory is wanted (dest=DIR)", word);
    if ((o->type == OUTPUT_TAR || o->type == OUTPUT_OCI || o->type == OUTPUT_DOCKER) && !o->path &&
        isatty(STDOUT_FILENO))
        return error_set(err, -EINVAL,
                         "--output %s: an archive is not written to a terminal; give dest=FILE",
                         word);
    return 0;
}

static int parse_one(const char *word, struct build_output *out, struct error *err)
{
    autostrv parts = {0};
    int rc = 0;
    if (streq(word, "-")) {
        out->type = OUTPUT_TAR;
        return check(word, out, err);
    }
    if (!strchr(word, '=')) {
        out->type = OUTPUT_LOCAL;
        out->path = xstrdup(word);
        return 0;
    }
    strv_split(&parts, word, ',');
    for (size_t i = 0; rc == 0 && i < parts.len; i++) {
        const char *part = parts.items[i];
        if (starts_with(part, "type=")) {
            rc = set_type(word, part + 5, out, err);
        } else if (starts_with(part, "dest=")) {
            free(out->path);
            out->path = streq(part + 5, "-") ? NULL : xstrdup(part + 5);
        } else if (starts_with(part, "name=")) {
            strv_add(&out->names, part + 5);
        } else if (!starts_with(part, "tar=") && !starts_with(part, "compression=") &&
                   !starts_with(part, "oci-mediatypes=") &&
                   !starts_with(part, "rewrite-timestamp=") && !starts_with(part, "unpack=")) {
            rc = error_set(err, -EINVAL,
                           "--output %s: %s is not known; write type=, dest=, name=", word, part);
        }
    }
    return rc < 0 ? rc : check(word, out, err);
}

int build_outputs_parse(const struct build_options *options, struct build_outputs *out,
                        struct error *err)
{
    const struct strv *words = &options->outputs;
    size_t streams = 0;
    int rc = 0;
    out->items = xcalloc(words->len + 1, sizeof *out->items);
    for (size_t i = 0; rc == 0 && i < words->len; i++) {
        struct build_output *o = &out->items[out->count++];
        rc = parse_one(words->items[i], o, err);
        streams += !o->path && o->type != OUTPUT_IMAGE && o->type != OUTPUT_NONE;
    }
    if (rc == 0 && streams + options->quiet > 1)
        rc = error_set(err, -EINVAL, "more than one output goes to standard output");
    if (words->len == 0) {
        out->items[0].type = OUTPUT_IMAGE;
        out->count = 1;
    }
    return rc;
}

void build_outputs_free(struct build_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        free(outputs->items[i].path);
        strv_free(&outputs->items[i].names);
    }
    free(outputs->items);
    *outputs = (struct build_outputs){0};
}

bool build_outputs_need_image(const struct build_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        if (outputs->items[i].type <= OUTPUT_DOCKER)
            return true;
    return false;
}

void build_outputs_names(const struct build_options *options, const struct build_outputs *outputs,
                         struct strv *out)
{
    strv_copy(out, &options->tags);
    for (size_t i = 0; i < outputs->count; i++)
        strv_copy(out, &outputs->items[i].names);
}

/* --- writing --- */

static int memory_file(const struct buf *text, struct error *err)
{
    autofd fd = memfd_create("provenance", MFD_CLOEXEC);
    int rc = fd < 0 ? -errno : write_all(fd, text->data, text->len);
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = -errno;
    return rc < 0 ? error_set(err, rc, "cannot write the provenance: %s", error_describe(rc))
                  : take_fd(&fd);
}

static int save(const struct build_output *o, const struct build_place *place,
                const struct strv *names, const struct buf *provenance, struct error *err)
{
    autostrv words = {0};
    autofd said = provenance && o->type == OUTPUT_OCI ? memory_file(provenance, err) : -1;
    if (provenance && o->type == OUTPUT_OCI && said < 0)
        return said;
    strv_add(&words, "caisson-image");
    strv_add(&words, "save");
    strv_fmt(&words, "--format=%s", o->type == OUTPUT_OCI ? "oci-archive" : "docker-archive");
    if (o->path)
        strv_fmt(&words, "--output=%s", o->path);
    if (said >= 0)
        strv_fmt(&words, "--provenance-fd=%d", said);
    /* By its names, which an archive says as well; by its id where it has none. */
    for (size_t i = names->len > 1; i < names->len; i++)
        strv_add(&words, names->items[i]);
    const struct process_spec spec = {.program = place->worker,
                                      .argv = strv_argv(&words),
                                      .fds = {-1, STDOUT_FILENO, 2},
                                      .keep = &said,
                                      .keep_count = said >= 0};
    pid_t pid;
    int status;
    int rc = process_start(&spec, &pid, NULL, err);
    if (rc == 0)
        rc = process_wait(pid, &status, err);
    if (rc == 0 && process_exit_code(status) != 0)
        rc = error_set(err, -EIO, "the archive %s could not be written",
                       o->path ? o->path : "for standard output");
    return rc;
}

static int write_tar(const struct build_output *o, const struct build_place *place,
                     const struct build_result *result, struct error *err)
{
    autooutput file = OUTPUT_FILE_NONE;
    if (!o->path)
        return give_tar(place, &result->config.diff_ids, STDOUT_FILENO, err);
    int rc = output_file_open(o->path, &file, err);
    if (rc == 0)
        rc = give_tar(place, &result->config.diff_ids, file.fd, err);
    return rc < 0 ? rc : output_file_finish(&file, err);
}

static int write_files(const struct build_output *o, const struct build_place *place,
                       const struct build_result *result, struct error *err)
{
    int rc = make_directories(o->path, 0755, err);
    autofd dir = rc < 0 ? rc : open(o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rc == 0 && dir < 0)
        rc = error_errno(err, "cannot write to %s", o->path);
    return rc < 0 ? rc : give_files(place, &result->config.diff_ids, dir, err);
}

int build_outputs_write(const struct build_outputs *outputs, const struct build_place *place,
                        const struct build_result *result, const struct strv *names,
                        const struct buf *provenance, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < outputs->count; i++) {
        const struct build_output *o = &outputs->items[i];
        switch (o->type) {
        case OUTPUT_OCI:
        case OUTPUT_DOCKER:
            rc = save(o, place, names, provenance, err);
            break;
        case OUTPUT_TAR:
            rc = write_tar(o, place, result, err);
            break;
        case OUTPUT_LOCAL:
            rc = write_files(o, place, result, err);
            break;
        case OUTPUT_IMAGE:
        case OUTPUT_NONE:
            break;
        }
        if (rc < 0)
            (void)error_prefix(err, "--output %s", o->path ? o->path : "-");
    }
    return rc;
}
