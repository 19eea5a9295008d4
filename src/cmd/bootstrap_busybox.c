/* SPDX-License-Identifier: Apache-2.0 */
/* A root file system around the distribution's static busybox, written as a tar in memory: no file
 * is touched but the program, and the same program gives the same image. */
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "archive/tar.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/bootstrap.h"

#define PROGRAM_MAX ((size_t)64 << 20)
#define APPLETS_MAX ((size_t)256 << 10)

static const char *const places[] = {"/bin/busybox", "/usr/bin/busybox", NULL};

/* No interpreter among the program headers: nothing else is needed to run it. */
static bool is_static(const struct buf *program)
{
    Elf64_Ehdr header;
    Elf64_Phdr part;
    if (program->len < sizeof header || memcmp(program->data, ELFMAG, SELFMAG) != 0 ||
        program->data[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return false;
    if (sizeof(void *) != 8)
        return true; /* 32 bits: only that it is a program of this machine's kind */
    memcpy(&header, program->data, sizeof header);
    for (size_t i = 0; i < header.e_phnum; i++) {
        size_t at;
        if (__builtin_add_overflow(header.e_phoff, i * sizeof part, &at) || at > program->len ||
            program->len - at < sizeof part)
            return false;
        memcpy(&part, program->data + at, sizeof part);
        if (part.p_type == PT_INTERP)
            return false;
    }
    return true;
}

static int read_program(struct buf *out, const char **path, int64_t *mtime, struct error *err)
{
    for (size_t i = 0; places[i]; i++) {
        struct stat st;
        autofd fd = open(places[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        buf_clear(out);
        int rc = read_fd(fd, PROGRAM_MAX, out);
        if (rc < 0)
            return error_set(err, rc, "cannot read %s: %s", places[i], error_describe(rc));
        if (is_static(out)) {
            *path = places[i];
            *mtime = st.st_mtim.tv_sec;
            return 0;
        }
    }
    return error_set(err, -ENOENT,
                     "there is no static busybox in /bin: 'apt-get install "
                     "busybox-static' brings it");
}

static int list_applets(const char *path, struct strv *out, struct error *err)
{
    char *const argv[] = {(char *)(uintptr_t) "busybox", (char *)(uintptr_t) "--list", NULL};
    const struct process_spec spec = {.program = path, .argv = argv, .fds = {-1, -1, -1}};
    autobuf text = {0};
    autostrv lines = {0};
    int rc = process_run(&spec, &text, APPLETS_MAX, err);
    if (rc < 0)
        return rc;
    strv_split(&lines, buf_text(&text), '\n');
    for (size_t i = 0; i < lines.len; i++)
        if (*lines.items[i] && !strchr(lines.items[i], '/') && !streq(lines.items[i], "busybox"))
            strv_add(out, lines.items[i]);
    return 0;
}

static int into_buffer(void *closure, const void *bytes, size_t length)
{
    buf_add(closure, bytes, length);
    return 0;
}

static int add_entry(struct tar_writer *tar, enum tar_type type, const char *path, unsigned mode,
                     int64_t mtime, const char *link, const struct buf *content, struct error *err)
{
    const struct tar_entry entry = {.type = type,
                                    .path = path,
                                    .link = link,
                                    .mode = mode,
                                    .mtime = mtime,
                                    .size = content ? content->len : 0};
    int rc = tar_write_entry(tar, &entry, err);
    if (rc == 0 && content && content->len > 0)
        rc = tar_write_data(tar, content->data, content->len, err);
    return rc;
}

static int add_base(struct tar_writer *tar, int64_t mtime, struct error *err)
{
    static const struct {
        const char *path;
        unsigned mode;
    } directories[] = {
        {"bin/", 0755},  {"dev/", 0755},     {"etc/", 0755},      {"home/", 0755}, {"proc/", 0555},
        {"root/", 0700}, {"run/", 0755},     {"sys/", 0555},      {"tmp/", 01777}, {"usr/", 0755},
        {"var/", 0755},  {"var/log/", 0755}, {"var/tmp/", 01777},
    };
    static const struct {
        const char *path, *text;
    } files[] = {
        {"etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                       "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
        {"etc/group", "root:x:0:\nnogroup:x:65534:\n"},
        {"etc/hosts", ""},
        {"etc/hostname", ""},
        {"etc/resolv.conf", ""},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof directories / sizeof *directories; i++)
        rc = add_entry(tar, TAR_DIRECTORY, directories[i].path, directories[i].mode, mtime, "",
                       NULL, err);
    for (size_t i = 0; rc == 0 && i < sizeof files / sizeof *files; i++) {
        autobuf text = {0};
        buf_str(&text, files[i].text);
        rc = add_entry(tar, TAR_FILE, files[i].path, 0644, mtime, "", &text, err);
    }
    return rc;
}

static int build_tar(const struct buf *program, const struct strv *applets, int64_t mtime,
                     struct buf *out, struct error *err)
{
    struct tar_writer tar = {.sink = into_buffer, .closure = out};
    int rc = add_base(&tar, mtime, err);
    if (rc == 0)
        rc = add_entry(&tar, TAR_FILE, "bin/busybox", 0755, mtime, "", program, err);
    for (size_t i = 0; rc == 0 && i < applets->len; i++) {
        autofree char *path = xasprintf("bin/%s", applets->items[i]);
        rc = add_entry(&tar, TAR_SYMLINK, path, 0777, mtime, "busybox", NULL, err);
    }
    return rc < 0 ? rc : tar_write_end(&tar, err);
}

int bootstrap_busybox(struct bootstrap *b, struct error *err)
{
    autobuf program = {0}, tar = {0};
    autostrv applets = {0};
    const char *path = NULL;
    int64_t when = 0;
    char created[RFC3339_MAX];
    if (b->options->include.len > 0 || b->options->mirror)
        return error_set(err, -EINVAL, "--include and --mirror belong to 'bootstrap debian'");
    int rc = read_program(&program, &path, &when, err);
    if (rc == 0)
        rc = list_applets(path, &applets, err);
    if (rc == 0)
        rc = source_date_epoch(&when, err);
    if (rc >= 0)
        rc = build_tar(&program, &applets, when, &tar, err);
    if (rc < 0)
        return rc;
    b->fd = memfd_create("busybox", MFD_CLOEXEC);
    if (b->fd < 0)
        return error_errno(err, "cannot make a file in memory");
    rc = write_all(b->fd, tar.data, tar.len);
    if (rc < 0)
        return error_set(err, rc, "cannot write a file in memory: %s", error_describe(rc));
    format_rfc3339(when * NSEC_PER_SEC, created);
    b->created = xstrdup(created);
    b->comment = xstrdup("bootstrap busybox");
    b->name = xstrdup("busybox:latest");
    strv_add(&b->changes, "ENV PATH=/bin");
    strv_add(&b->changes, "CMD [\"sh\"]");
    b->request.source = (struct stream_source){.fd = b->fd, .seekable = true, .length = tar.len};
    return 0;
}
