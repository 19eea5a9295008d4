/* SPDX-License-Identifier: Apache-2.0 */
/* The first bytes of a packet that was refused: an address of one family, a port only where there
 * are ports. */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "network/nflog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nflog_packet p = {0};
    if (!nflog_packet_parse(data, size, &p))
        return 0;
    if (p.destination.family != AF_INET && p.destination.family != AF_INET6)
        abort();
    if (p.port && p.protocol != IPPROTO_TCP && p.protocol != IPPROTO_UDP)
        abort();
    return 0;
}
