/* SPDX-License-Identifier: Apache-2.0 */
/* How published ports are shown. `published`: container_published(), NULL for nothing. */
#ifndef CAISSON_CMD_PORT_H
#define CAISSON_CMD_PORT_H

#include "base/json.h"
#include "container/container.h"

/* "127.0.0.1:8080-8082->80-82/tcp, 53/udp": and what is exposed only. */
void ports_column(const char *published, const struct strv *exposed, struct buf *out);
/* NetworkSettings.Ports, HostConfig.PortBindings and Config.ExposedPorts of inspect. */
void inspect_ports(struct json_out *w, const struct container *c);
void inspect_port_bindings(struct json_out *w, const struct plan *plan);
void inspect_exposed(struct json_out *w, const struct plan *plan);

#endif
