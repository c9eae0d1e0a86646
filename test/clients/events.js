// SPDX-License-Identifier: Apache-2.0
// events - events by WebSocket as node's `ws` sends them: in pieces, with pings between, too long, or wrong.  PORT
'use strict';
const assert = require('assert');
const WebSocket = require('ws');
const { request } = require('./storm.js');

const port = Number(process.argv[2]), MOST = 1 << 20;
const once = (ws, name) => new Promise((done, failed) => { ws.once(name, done); ws.once('error', failed); });

async function open() {
	const ws = new WebSocket(`ws://127.0.0.1:${port}/events`);
	await once(ws, 'open');
	ws.answer = async () => String(await once(ws, 'message'));
	return ws;
}

async function closes(send, code) {
	const ws = await open(), closed = once(ws, 'close');
	send(ws);
	assert.strictEqual(await closed, code);
}

async function main() {
	const ws = await open(), event = JSON.stringify({ host: 'pieces', service: 's', description: 'grüße', metric: 7 });
	const bytes = Buffer.from(event);

	for (let i = 0; i < bytes.length; i++) {
		ws.send(bytes.subarray(i, i + 1), { fin: i === bytes.length - 1, binary: false });
		if (i % 10 === 0)
			ws.ping(`${i}`);
	}
	const ponged = once(ws, 'pong');
	assert.strictEqual(await ws.answer(), '{}');
	await ponged;
	ws.send(`{"host": "long", "service": "s", "description": "${'x'.repeat(MOST - 51)}"}`);
	assert.strictEqual(await ws.answer(), '{}');
	ws.send(Buffer.from('{"host": "binary", "service": "s"}'));
	assert.strictEqual(await ws.answer(), '{}');
	ws.send('{');
	assert.match(await ws.answer(), /^\{"error": "/);
	const closed = once(ws, 'close');
	ws.close(4001, 'enough');
	assert.strictEqual(await closed, 4001);

	await closes((w) => w.send('x'.repeat(MOST + 1)), 1009);
	await closes((w) => { for (let i = 0; i < 5; i++) w.send('x'.repeat(MOST / 4), { fin: false }); }, 1009);
	await closes((w) => w.send(Buffer.from([0xff]), { binary: false }), 1007);
	await closes((w) => { w.send('x', { fin: false }); w._socket.write(Buffer.from([0x81, 0x80, 0, 0, 0, 0])); }, 1002);

	const all = JSON.parse((await request(port, { path: '/index?query=service%20%3D%20%22s%22' })).text);
	assert.deepStrictEqual(all.map((e) => e.host).sort(), ['binary', 'long', 'pieces']);
	assert.strictEqual(all.find((e) => e.host === 'pieces').description, 'grüße');
	console.log('all is well');
	process.exit(0);
}

main().catch((e) => { console.error(e); process.exit(1); });
