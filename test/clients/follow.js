// SPDX-License-Identifier: Apache-2.0
// follow - WebSocket and SSE clients in node see each update of a storm once; those that never read are let go.  PORT PID
'use strict';
const assert = require('assert');
const http = require('http');
const net = require('net');
const WebSocket = require('ws');
const { SERVICES, STILL, Seen, calm, storm, counters, until, memory } = require('./storm.js');

const port = Number(process.argv[2]), pid = process.argv[3], END = 100000;
const followers = [];

function follower(name) {
	const f = { name, seen: new Seen(SERVICES, STILL, END), close: null };
	followers.push(f);
	return f;
}

function byWebSocket() {
	const f = follower('WebSocket'), ws = new WebSocket(`ws://127.0.0.1:${port}/index?subscribe=true&query=true`);
	ws.on('message', (text) => f.seen.event(text));
	ws.on('error', (e) => { throw e; });
	f.close = () => ws.close();
}

function bySse() {
	const f = follower('SSE');
	const req = http.get({ host: '127.0.0.1', port, path: '/index?query=true', headers: { Accept: 'text/event-stream' } }, (res) => {
		let rest = '';
		res.setEncoding('utf8');
		res.on('data', (piece) => {
			const parts = (rest + piece).split('\n\n');
			rest = parts.pop();
			for (const part of parts)
				if (part.startsWith('data: '))
					f.seen.event(part.slice(6));
		});
		res.on('error', () => {});
	});
	f.close = () => req.destroy();
}

// Asks, and reads nothing, ever.
function deaf(lines) {
	const socket = net.connect(port, '127.0.0.1');
	socket.pause();
	socket.on('error', () => {});
	socket.write(['GET /index?subscribe=true&query=true HTTP/1.1', 'Host: x', ...lines, '', ''].join('\r\n'));
}

async function main() {
	await calm(port);
	const before = memory(pid, 'VmRSS');
	byWebSocket();
	bySse();
	deaf(['Accept: text/event-stream']);
	deaf(['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']);
	await until('all are there', 10, async () => (await counters(port)).push.watchers === 4);
	await storm(port, END, (n) => {
		if (n % 20000 === 10000 && n < 90000) {
			byWebSocket();
			bySse();
		}
	});
	await until('all have seen the end', 30, () => followers.every((f) => f.seen.done()));
	for (const f of followers) {
		console.log(`${f.name}: ${f.seen.updates()} updates`);
		assert.strictEqual(f.seen.result(), null);
	}
	assert.strictEqual(followers[0].seen.updates(), END);
	assert.strictEqual(followers[1].seen.updates(), END);
	await until('who does not read is let go', 15, async () => (await counters(port)).push.watchers === followers.length);
	const at = await counters(port);
	assert(at.push.slow + at['http-civetweb'].stalled >= 2);
	assert.strictEqual(at.push['too-long'] + at.push.refused, 0);
	const grown = memory(pid, 'VmHWM') - before;
	console.log(`grown by ${grown} KiB; slow ${at.push.slow}, stalled ${at['http-civetweb'].stalled}`);
	assert(grown < 65536 || process.env.SAN, `grown by ${grown} KiB`);
	followers.forEach((f) => f.close());
	// SSE's are found gone by a write: the next event's.
	await until('all have left', 15, async () => {
		await storm(port, 2, () => {});
		return (await counters(port)).push.watchers === 0;
	});
	console.log('all is well');
	process.exit(0);
}

main().catch((e) => { console.error(e); process.exit(1); });
