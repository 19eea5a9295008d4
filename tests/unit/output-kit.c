/* SPDX-License-Identifier: Apache-2.0 */
#include "output-kit.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[] = "/var/tmp/caisson-test-XXXXXX";
static int directory = -1;

int kit_setup(void **state)
{
    (void)state;
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    if (!mkdtemp(path))
        return -1;
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? -1 : 0;
}

int kit_teardown(void **state)
{
    (void)state;
    close(directory);
    return remove_tree_at(AT_FDCWD, path, NULL);
}

int kit_directory(void)
{
    return directory;
}

const char *kit_path(void)
{
    return path;
}

char *kit_drain(int fd)
{
    struct buf text = {0};
    assert_int_equal(read_fd(fd, SIZE_MAX / 2, &text), 0);
    buf_str(&text, "");
    return buf_take(&text);
}

char *kit_file(const char *name)
{
    autofd fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return strdup("");
    return kit_drain(fd);
}

void kit_write_file(const char *name, const char *text)
{
    assert_int_equal(write_file_at(directory, name, text, strlen(text), 0600, VOLATILE, NULL), 0);
}

pid_t kit_fork(int (*body)(void *), void *argument)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(body(argument));
    return pid;
}

int kit_wait(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

bool kit_until(bool (*condition)(void *), void *argument)
{
    for (int i = 0; i < 1000; i++) {
        if (condition(argument))
            return true;
        usleep(10000);
    }
    return false;
}
