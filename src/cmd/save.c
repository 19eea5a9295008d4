/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/image_events.h"
#include "cmd/image_worker.h"
#include "cmd/output_file.h"
#include "store/save.h"

static int open_layout(const char *path, struct output_file *out, struct error *err)
{
    if (!path)
        return error_set(err, -EINVAL, "oci-dir needs a directory: give it with -o");
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return error_errno(err, "cannot create %s", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "cannot open the directory %s", path);
    out->fd = fd;
    autodir d = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    const struct dirent *entry;
    while (d && (entry = readdir(d)))
        if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
            return error_set(err, -ENOTEMPTY, "the directory %s is not empty: give another", path);
    return 0;
}

static int open_target(const struct save_options *o, enum save_format format,
                       struct output_file *out, struct error *err)
{
    if (format == SAVE_OCI_DIR)
        return open_layout(o->output, out, err);
    return output_file_open(o->output, out, err);
}

static void attestation_free(struct save_attestation *attestation)
{
    buf_free(&attestation->predicate);
}

int command_save(const struct invocation *call, void *options, struct error *err)
{
    const struct save_options *o = options;
    autostore store = {0};
    autostrv ids = {0}, names = {0};
    autooutput target = OUTPUT_FILE_NONE;
    enum save_format format = streq(o->format, "oci-archive") ? SAVE_OCI_ARCHIVE
                              : streq(o->format, "oci-dir")   ? SAVE_OCI_DIR
                                                              : SAVE_DOCKER_ARCHIVE;
    int rc = open_store(&store, err);
    if (rc == 0)
        rc = store_lock(&store, LOCK_SH, err);
    for (size_t i = 0; rc == 0 && i < call->count; i++) { /* before a file is made */
        autoimage image = {0};
        rc = store_resolve(&store, call->arguments[i], &image, err);
        if (rc < 0)
            break;
        strv_add(&ids, image.id);
        strv_add(&names, image.name ? image.name : image.id);
    }
    if (rc == 0)
        rc = open_target(o, format, &target, err);
    autofd events = image_events_open();
    if (rc == 0)
        rc = confine_to_store(&store, -1, format == SAVE_OCI_DIR ? target.fd : target.folder, err);
    struct save_attestation attestation
        __attribute__((cleanup(attestation_free))) = {.type = "https://slsa.dev/provenance/v1"};
    bool attested = o->provenance != INT64_MIN;
    if (rc == 0 && attested)
        rc = read_fd((int)o->provenance, OCI_DOCUMENT_MAX, &attestation.predicate);
    if (rc == 0)
        rc = store_save(&store, call->arguments, call->count, format, target.fd,
                        attested ? &attestation : NULL, err);
    if (rc == 0)
        rc = output_file_finish(&target, err);
    for (size_t i = 0; rc == 0 && i < ids.len; i++)
        image_event(events, "save", ids.items[i], names.items[i]);
    return rc;
}
