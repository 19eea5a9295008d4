/* SPDX-License-Identifier: Apache-2.0 */
/* ask SOCKET HEX...: sends each message to a Unix socket, and prints what is answered, in hex. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (argc < 3 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    memcpy(address.sun_path, argv[1], strlen(argv[1]) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("connect");
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        unsigned char bytes[4096];
        size_t length = strlen(argv[i]) / 2;
        for (size_t at = 0; at < length && at < sizeof bytes; at++) {
            char pair[3] = {argv[i][2 * at], argv[i][2 * at + 1], '\0'};
            bytes[at] = (unsigned char)strtoul(pair, NULL, 16);
        }
        if (write(fd, bytes, length) != (ssize_t)length)
            return 1;
        ssize_t n = read(fd, bytes, sizeof bytes);
        for (ssize_t at = 0; at < n; at++)
            printf("%02x", bytes[at]);
        printf("\n");
    }
    return 0;
}
