/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/secret_words.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define WORD_MAX 4096
#define VARIABLE "COSIGN_PASSWORD"

/* What ends or stops a process that asks; the terminal is put right before. */
static const int ENDS[] = {SIGINT,  SIGQUIT, SIGTERM, SIGHUP,  SIGTSTP, SIGPIPE,
                           SIGALRM, SIGABRT, SIGUSR1, SIGUSR2, SIGXCPU};

/* A byte; 0 at the end. -EINTR: a signal that `signals` (-1: none) catches is to be read there. */
static ssize_t read_byte(int signals, char *out)
{
    for (;;) {
        struct pollfd ready[] = {{.fd = signals, .events = POLLIN},
                                 {.fd = STDIN_FILENO, .events = POLLIN}};
        ssize_t n = signals < 0 ? 1 : poll(ready, 2, -1);
        if (n > 0 && signals >= 0 && ready[0].revents)
            return -EINTR;
        if (n > 0)
            n = read(STDIN_FILENO, out, 1);
        if (n >= 0 || errno != EINTR)
            return n < 0 ? -errno : n;
    }
}

static int read_line(int signals, char **out, struct error *err)
{
    char text[WORD_MAX];
    size_t length = 0;
    ssize_t n = 1;
    while (length < sizeof text && (n = read_byte(signals, text + length)) > 0 &&
           text[length] != '\n')
        length++;
    int rc = n < 0
                 ? error_set(err, (int)n, "cannot read standard input: %s", error_describe((int)n))
             : length == sizeof text ? error_set(err, -EFBIG, "that is too long for a password")
                                     : 0;
    if (length > 0 && text[length - 1] == '\r')
        length--;
    if (rc == 0)
        *out = xstrndup(text, length);
    explicit_bzero(text, sizeof text);
    return rc;
}

int secret_read_line(char **out, struct error *err)
{
    return read_line(-1, out, err);
}

/* `signals` catches what the caller has blocked. -EINTR: one is to be read there. */
static int ask_once(int signals, const char *question, char **out, struct error *err)
{
    struct termios before, quiet;
    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return error_errno(err, "cannot ask for a password");
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    /* Before the question: what is typed once that is there is neither shown nor thrown away. */
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
        return error_errno(err, "cannot ask for a password");
    int rc = write_all(STDERR_FILENO, question, strlen(question));
    if (rc < 0)
        (void)error_set(err, rc, "cannot ask for a password: %s", error_describe(rc));
    else
        rc = read_line(signals, out, err);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)write_all(STDERR_FILENO, "\n", 1);
    return rc;
}

int secret_ask(const char *question, char **out, struct error *err)
{
    struct signalfd_siginfo caught;
    sigset_t ends, before;
    int rc;
    sigemptyset(&ends);
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++)
        sigaddset(&ends, ENDS[i]);
    autofd signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return error_errno(err, "cannot ask for a password");
    sigprocmask(SIG_BLOCK, &ends, &before);
    /* Whoever is still there after the signal was stopped for a while, or does not care for it. */
    while ((rc = ask_once(signals, question, out, err)) == -EINTR &&
           read(signals, &caught, sizeof caught) == sizeof caught) {
        raise((int)caught.ssi_signo);
        sigprocmask(SIG_SETMASK, &before, NULL);
        sigprocmask(SIG_BLOCK, &ends, NULL);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
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
    int rc = secret_ask("Passphrase of the key: ", out, err);
    if (rc == 0 && twice)
        rc = secret_ask("Once more: ", &again, err);
    if (rc == 0 && twice && !streq(*out, again))
        rc = error_set(err, -EINVAL, "these are two passphrases");
    return rc;
}
