// SPDX-License-Identifier: Apache-2.0
// riemann - what people do with the npm client of that name: send over TCP and UDP, and ask.  PORT
'use strict';
const assert = require('assert');
const riemann = require('riemann');

const port = Number(process.argv[2]);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function found(client, query, n) {
	for (let i = 0; i < 100; i++) {
		const answer = await client.send(client.Query({ string: query }));
		assert.strictEqual(answer.ok, true);
		if (answer.events.length === n)
			return answer.events;
		await pause(50);
	}
	throw new Error(`never: ${n} of ${query}`);
}

async function main() {
	const client = await riemann.createClient({ host: '127.0.0.1', port, returnPromise: true });
	const ack = await client.send(client.Event({
		host: 'web1', service: 'buffet_plates', metric: 252.5, ttl: 300, state: 'ok', description: 'grüße',
		tags: ['nonblocking', 'b'], attributes: [{ key: 'sessionID', value: '000-001-165' }],
	}), client.tcp);
	assert.strictEqual(ack.ok, true);
	const [event] = await found(client, 'service = "buffet_plates" and sessionID = "000-001-165"', 1);
	assert.strictEqual(event.host, 'web1');
	assert.strictEqual(event.metricF, 252.5);
	assert.strictEqual(event.state, 'ok');
	assert.strictEqual(event.description, 'grüße');
	assert.deepStrictEqual(event.tags, ['nonblocking', 'b']);
	assert.strictEqual(event.ttl, 300);
	assert.strictEqual(event.attributes[0].value, '000-001-165');

	// By UDP, which is what it sends by unless told otherwise; what is too large for it goes by TCP.
	for (let i = 0; i < 100; i++) {
		await client.send(client.Event({ host: 'web2', service: `udp ${i}`, metric: i, ttl: 300 }));
		await pause(1);
	}
	await found(client, 'host = "web2" and service =~ "udp %"', 100);
	await client.send(client.Event({ host: 'web3', service: 'large', description: 'x'.repeat(20000), metric: 1 }), client.tcp);
	assert.strictEqual((await found(client, 'host = "web3"', 1))[0].description.length, 20000);

	// The states of old are acknowledged; a bad query is told.
	assert.strictEqual((await client.send(client.State({ host: 'web4', service: 'old', state: 'ok' }), client.tcp)).ok, true);
	const refused = await client.send(client.Query({ string: 'host =' }));
	assert.strictEqual(refused.ok, false);
	assert.match(refused.error, /at character/);
	assert.deepStrictEqual((await client.send(client.Query({ string: 'host = "web4"' }))).events, []);

	// Many at once, and as many answers.
	let answers = 0;
	client.returnPromise = false;
	const all = new Promise((done) => client.on('data', (m) => { assert(m.ok); if (++answers === 2000) done(); }));
	for (let i = 0; i < 2000; i++)
		client.send(client.Event({ host: 'web5', service: `many ${i % 500}`, metric: i }), client.tcp);
	await all;
	client.returnPromise = true;
	const last = (await found(client, 'host = "web5"', 500)).map((e) => e.metricF).sort((a, b) => a - b);
	assert.deepStrictEqual(last, Array.from({ length: 500 }, (_, i) => 1500 + i));
	client.tcp.socket.destroy();
	client.udp.socket.close();
	console.log('all is well');
}

main().catch((e) => { console.error(e); process.exit(1); });
