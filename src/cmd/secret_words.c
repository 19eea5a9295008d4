/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/secret_words.h"

#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define WORD_MAX 4096
#define VARIABLE "COSIGN_PASSWORD"

int secret_read_line(char **out, struct error *err)
{
    char text[WORD_MAX];
    size_t length = 0;
    while (length < sizeof text) {
        ssize_t n = read(STDIN_FILENO, text + length, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, "cannot read standard input");
        if (n == 0 || text[length] == '\n')
            break;
        length++;
    }
    if (length == sizeof text)
        return error_set(err, -EFBIG, "that is too long for a password");
    if (length > 0 && text[length - 1] == '\r')
        length--;
    *out = xstrndup(text, length);
    explicit_bzero(text, sizeof text);
    return 0;
}

int secret_ask(const char *question, const char *ended, char **out, struct error *err)
{
    struct termios before, quiet;
    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return error_errno(err, "cannot ask for a password");
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    /* Signals come when the answer is there: a terminal left mute is worse than a late Ctrl-C. */
    quiet.c_lflag &= ~(tcflag_t)ISIG;
    /* Before the question: what is typed once that is there is neither shown nor thrown away. */
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
        return error_errno(err, "cannot ask for a password");
    (void)write_all(STDERR_FILENO, question, strlen(question));
    int rc = secret_read_line(out, err);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)write_all(STDERR_FILENO, "\n", 1);
    if (rc == 0 && strchr(*out, '\003'))
        return error_set(err, -EINTR, "%s", ended);
    return rc;
}

/* --- of a key --- */

/* Its first line. */
static int read_file(const char *path, char **out, struct error *err)
{
    char text[WORD_MAX];
    autofd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n = fd < 0 ? -errno : read_full(fd, text, sizeof text - 1);
    if (n < 0)
        return error_set(err, (int)n, "cannot read --passphrase-file %s: %s", path,
                         error_describe((int)n));
    text[n] = '\0';
    if (strlen(text) != (size_t)n) {
        explicit_bzero(text, sizeof text);
        return error_set(err, -EINVAL, "--passphrase-file %s has a NUL byte in it", path);
    }
    *out = xstrndup(text, strcspn(text, "\r\n"));
    explicit_bzero(text, sizeof text);
    return 0;
}

/* What is started from here on need not know it. */
static char *take_variable(void)
{
    char *value = getenv(VARIABLE);
    if (!value)
        return NULL;
    char *taken = xstrdup(value);
    explicit_bzero(value, strlen(value));
    unsetenv(VARIABLE);
    return taken;
}

void secret_forget_variable(void)
{
    autosecret unused = take_variable();
    (void)unused;
}

int secret_passphrase(const char *file, bool twice, char **out, struct error *err)
{
    autosecret again = NULL;
    *out = take_variable();
    if (file) {
        secret_forget(out);
        return read_file(file, out, err);
    }
    if (*out)
        return 0;
    if (!isatty(STDIN_FILENO))
        return error_set(err, -ENOTTY,
                         "standard input is no terminal to ask for the key's passphrase on: say it "
                         "in $" VARIABLE " or with --passphrase-file");
    int rc = secret_ask("Passphrase of the key: ", "no passphrase", out, err);
    if (rc == 0 && twice)
        rc = secret_ask("Once more: ", "no passphrase", &again, err);
    if (rc == 0 && twice && !streq(*out, again))
        rc = error_set(err, -EINVAL, "these are two passphrases");
    return rc;
}
