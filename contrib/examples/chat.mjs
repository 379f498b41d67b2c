#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

// Streams one answer through menshen's Unix socket, without a key and without packages.
import { request } from "node:http";

const runtime = process.env.XDG_RUNTIME_DIR ?? `/run/user/${process.getuid()}`;
const call = request(
    {
        socketPath: process.env.MENSHEN_SOCKET ?? `${runtime}/menshen/menshen.sock`,
        path: "/v1/chat/completions",
        method: "POST",
        headers: { "Content-Type": "application/json" },
    },
    (answer) => {
        answer.setEncoding("utf8");
        let rest = "";
        answer.on("data", (text) => {
            const lines = (rest + text).split("\n");
            rest = lines.pop();
            for (const line of lines) {
                if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
                const event = JSON.parse(line.slice(6));
                // Said before an answer breaks off.
                if (event.error) console.error(event.error.message);
                process.stdout.write(event.choices?.[0]?.delta.content ?? "");
            }
        });
        answer.on("end", () => process.stdout.write(answer.statusCode === 200 ? "\n" : `${rest}\n`));
        // An answer that breaks off ends here, not in "end".
        answer.on("error", (error) => console.error(`broken off: ${error.message}`));
    },
);
call.on("error", (error) => console.error(error.message));
call.end(
    JSON.stringify({
        model: process.env.MODEL ?? "gpt-4.1-mini",
        stream: true,
        messages: [{ role: "user", content: "Good morning!" }],
    }),
);
