/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ssh agent's socket for a step: what is asked of it goes through a process of ours, which is
 * who the agent believes to be talking to, and which passes on only what a step needs: to be told
 * which keys there are, and to have something signed. Keys are neither added nor removed, the agent
 * is not locked. https://datatracker.ietf.org/doc/html/draft-miller-ssh-agent
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "build/secrets.h"

#define MESSAGE_MAX (256u << 10)
#define CLIENTS_MAX 32
#define ANSWER_SECONDS 60 /* for an agent that asks a person */

#define SSH_AGENT_FAILURE 5
#define SSH_AGENTC_REQUEST_IDENTITIES 11
#define SSH_AGENTC_SIGN_REQUEST 13

static int address(const char *path, struct sockaddr_un *out, struct error *err)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof out->sun_path)
        return error_set(err, -ENAMETOOLONG, "the path of the socket %s is too long", path);
    memcpy(out->sun_path, path, strlen(path) + 1);
    return 0;
}

static uint32_t length_of(const unsigned char head[4])
{
    return (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
}

/* A whole message with its length; its size, 0 at the end, -1 for what is none. */
static ssize_t receive(int fd, unsigned char *message)
{
    ssize_t n = read_full(fd, message, 4);
    if (n == 0)
        return 0;
    uint32_t length = n == 4 ? length_of(message) : 0;
    if (length == 0 || length > MESSAGE_MAX - 4)
        return -1;
    return read_full(fd, message + 4, length) == (ssize_t)length ? (ssize_t)length + 4 : -1;
}

static bool ask(const struct sockaddr_un *agent, unsigned char *message, ssize_t *length)
{
    const struct timeval wait = {.tv_sec = ANSWER_SECONDS};
    autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)agent, sizeof *agent) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0 ||
        write_all(fd, message, (size_t)*length) < 0)
        return false;
    *length = receive(fd, message);
    return *length > 0;
}

/* Until it says nothing more. */
static void serve(int client, const struct sockaddr_un *agent)
{
    static const unsigned char no[] = {0, 0, 0, 1, SSH_AGENT_FAILURE};
    unsigned char *message = xmalloc(MESSAGE_MAX);
    ssize_t length;
    while ((length = receive(client, message)) > 4) {
        bool known =
            message[4] == SSH_AGENTC_REQUEST_IDENTITIES || message[4] == SSH_AGENTC_SIGN_REQUEST;
        const void *answer = known && ask(agent, message, &length) ? message : no;
        size_t size = answer == no ? sizeof no : (size_t)length;
        if (write_all(client, answer, size) < 0)
            break;
    }
    free(message);
}

/* A client that says nothing for a while has its seat taken away. */
static void be_server(int listener, int client, const struct sockaddr_un *agent)
{
    const struct timeval wait = {.tv_sec = ANSWER_SECONDS};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    close(listener);
    (void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    serve(client, agent);
}

/* Nothing that the stage has open is a client's to reach. */
static void close_others(int listener)
{
    if (listener > 3)
        (void)close_range(3, (unsigned)listener - 1, 0);
    (void)close_range((unsigned)listener + 1, ~0U, 0);
}

/* Each client has a process of its own, and at most so many at a time have one; others wait. */
static _Noreturn void relay(int listener, const struct sockaddr_un *agent)
{
    unsigned clients = 0;
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        while (clients > 0 && waitpid(-1, NULL, clients < CLIENTS_MAX ? WNOHANG : 0) > 0)
            clients--;
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        pid_t pid = fork();
        if (pid == 0) {
            be_server(listener, client, agent);
            _exit(0);
        }
        clients += pid > 0;
        close(client);
    }
}

int agent_relay(const char *path, const char *agent, mode_t mode, uid_t uid, gid_t gid, pid_t *pid,
                struct error *err)
{
    struct sockaddr_un here, there;
    int rc = address(agent, &there, err);
    if (rc == 0)
        rc = address(path, &here, err);
    if (rc < 0)
        return rc;
    autofd listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&here, sizeof here) < 0 ||
        listen(listener, CLIENTS_MAX) < 0 || chmod(path, mode) < 0 || chown(path, uid, gid) < 0)
        return error_errno(err, "cannot listen in the place of an ssh agent");
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0)
        return error_errno(err, "cannot start a process");
    if (child == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
            _exit(1);
        signal(SIGCHLD, SIG_DFL);
        close_others(listener);
        relay(listener, &there);
    }
    *pid = child;
    return 0;
}
