/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles from files, compiled once.
 *
 * State: CACHE/seccomp/HEX, one program per file, where HEX is the hash of everything the program
 * depends on (the profile's bytes, the capabilities, the architecture, the kernel's version, the
 * version of our compiler): an entry is never wrong, only missing. An entry ends with a hash of
 * itself and is checked as the kernel would check it before it is used; a damaged one is compiled
 * again and replaced. Entries that another user could have written are not looked at.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_internal.h"
#include "runtime/seccomp_profile.h"

#define PROFILE_MAX (1024 * 1024)
#define IGNORED_MAX (64 * 1024)
#define ENTRY_MAX                                                                                  \
    (sizeof(struct entry) + BPF_MAXINSNS * sizeof(struct sock_filter) + IGNORED_MAX + SHA256_BYTES)
/* Change when the compiler makes other programs from the same profile. */
#define COMPILER_VERSION 1

struct entry {
    char magic[8];
    uint32_t flags, count, ignored_length, reserved;
    /* then the instructions, the ignored names, SHA-256 of all before */
};

static const char magic[8] = "caissnBP";

static void entry_name(const struct buf *profile, uint64_t capabilities, char hex[SHA256_HEX])
{
    const struct {
        uint64_t capabilities;
        uint32_t version, arch, kernel, reserved;
    } context = {capabilities, COMPILER_VERSION, SECCOMP_NATIVE, seccomp_running_kernel(), 0};
    struct sha256 hash;
    unsigned char digest[SHA256_BYTES];
    sha256_start(&hash);
    sha256_add(&hash, &context, sizeof context);
    sha256_add(&hash, profile->data, profile->len);
    sha256_end(&hash, digest);
    hex_encode(digest, sizeof digest, hex);
}

static bool ours_alone(int fd, mode_t type)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_uid == geteuid() &&
           (st.st_mode & 022) == 0;
}

/* The directory of entries, made when it is missing; -1 when there is none to be trusted. */
static int open_cache(int cache_dirfd)
{
    if (cache_dirfd < 0)
        return -1;
    if (mkdirat(cache_dirfd, "seccomp", 0700) < 0 && errno != EEXIST)
        return -1;
    autofd dir = openat(cache_dirfd, "seccomp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return dir >= 0 && ours_alone(dir, S_IFDIR) ? take_fd(&dir) : -1;
}

/* Takes an entry apart; false when anything about it is not as it was written. */
static bool decode(const struct buf *bytes, struct seccomp_program *out)
{
    struct entry head;
    unsigned char digest[SHA256_BYTES];
    if (bytes->len < sizeof head + SHA256_BYTES)
        return false;
    memcpy(&head, bytes->data, sizeof head);
    if (memcmp(head.magic, magic, sizeof magic) != 0 || head.count > BPF_MAXINSNS ||
        head.ignored_length > IGNORED_MAX)
        return false;
    size_t code_size = head.count * sizeof(struct sock_filter);
    size_t size = sizeof head + code_size + head.ignored_length;
    if (bytes->len != size + SHA256_BYTES)
        return false;
    struct sha256 hash;
    sha256_start(&hash);
    sha256_add(&hash, bytes->data, size);
    sha256_end(&hash, digest);
    if (memcmp(digest, bytes->data + size, sizeof digest) != 0)
        return false;
    autofree struct sock_filter *code = xmalloc(code_size);
    memcpy(code, bytes->data + sizeof head, code_size);
    if (!seccomp_program_valid(code, head.count))
        return false;
    const char *ignored = bytes->data + sizeof head + code_size;
    *out = (struct seccomp_program){
        .code = take_ptr(code),
        .count = (unsigned short)head.count,
        .flags = head.flags,
        .owned = true,
        .ignored = head.ignored_length > 0 ? xstrndup(ignored, head.ignored_length) : NULL,
    };
    return true;
}

static bool read_entry(int dir, const char *name, struct seccomp_program *out)
{
    autobuf bytes = {0};
    autofd fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd >= 0 && ours_alone(fd, S_IFREG) && read_fd(fd, ENTRY_MAX, &bytes) == 0 &&
           decode(&bytes, out);
}

static void write_entry(int dir, const char *name, const struct seccomp_program *program)
{
    size_t ignored = program->ignored ? strlen(program->ignored) : 0;
    struct entry head = {
        .flags = program->flags, .count = program->count, .ignored_length = (uint32_t)ignored};
    autobuf bytes = {0};
    unsigned char digest[SHA256_BYTES];
    struct sha256 hash;
    memcpy(head.magic, magic, sizeof magic);
    buf_add(&bytes, &head, sizeof head);
    buf_add(&bytes, program->code, program->count * sizeof *program->code);
    if (ignored > 0)
        buf_add(&bytes, program->ignored, ignored);
    sha256_start(&hash);
    sha256_add(&hash, bytes.data, bytes.len);
    sha256_end(&hash, digest);
    buf_add(&bytes, digest, sizeof digest);
    /* A full or read-only disk is no reason not to start a container. */
    (void)write_file_at(dir, name, bytes.data, bytes.len, 0600, VOLATILE, NULL);
}

/* The file's bytes. A symlink is followed: the path is the user's own word. */
static int read_profile(const char *path, struct buf *out, struct error *err)
{
    struct stat st;
    autofd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, "cannot open seccomp profile %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "seccomp profile %s is not a regular file", path);
    int rc = read_fd(fd, PROFILE_MAX, out);
    if (rc == -EFBIG)
        return error_set(err, rc, "seccomp profile %s is larger than %d bytes", path, PROFILE_MAX);
    if (rc < 0)
        return error_set(err, rc, "cannot read seccomp profile %s: %s", path, error_describe(rc));
    return 0;
}

int seccomp_from_file(int cache_dirfd, const char *path, uint64_t capabilities,
                      struct seccomp_program *out, struct error *err)
{
    autobuf text = {0};
    char name[SHA256_HEX];
    int rc = read_profile(path, &text, err);
    if (rc < 0)
        return rc;
    autofd dir = open_cache(cache_dirfd);
    if (dir >= 0) {
        entry_name(&text, capabilities, name);
        if (read_entry(dir, name, out))
            return 0;
    }
    rc = seccomp_from_json(buf_text(&text), text.len, path, capabilities, out, err);
    if (rc == 0 && dir >= 0)
        write_entry(dir, name, out);
    return rc;
}
