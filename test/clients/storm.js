// SPDX-License-Identifier: Apache-2.0
// storm - updates with serial numbers, and who checks that they come each once and in order, in node or a browser.
'use strict';
const assert = require('assert');
const fs = require('fs');
const http = require('http');

const SERVICES = 10, STILL = 300;

// What one follower has seen.  Serial n is of service n % SERVICES, so there each is SERVICES after the one before.
// It stands alone, so that its source can be handed to a browser.
function Seen(services, still, end) {
	const last = new Map(), quiet = new Set();
	let n = 0, wrong = null;

	this.event = (text) => {
		const ev = JSON.parse(text), was = last.get(ev.service);
		if (isNaN(Date.parse(ev.time)))
			wrong = wrong || 'no time: ' + text;
		if (ev.host === 'still') {
			if (quiet.has(ev.service))
				wrong = wrong || 'twice: ' + text;
			quiet.add(ev.service);
		}
		if (ev.host !== 'storm')
			return;
		if (was !== undefined && ev.metric !== was + services)
			wrong = wrong || `after ${was}: ${text}`;
		last.set(ev.service, ev.metric);
		n++;
	};
	this.done = () => wrong !== null || (last.size === services && [...last.values()].every((v) => v > end - services));
	this.result = () => wrong || (quiet.size !== still ? `${quiet.size} that do not change` : null);
	this.updates = () => n;
	this.at = () => Math.max(0, ...last.values());
}

function request(port, options, body) {
	return new Promise((done, failed) => {
		const req = http.request({ host: '127.0.0.1', port, ...options }, (res) => {
			let text = '';
			res.setEncoding('utf8');
			res.on('data', (piece) => { text += piece; });
			res.on('end', () => done({ status: res.statusCode, text }));
		});
		req.on('error', failed);
		req.end(body);
	});
}

async function put(port, events) {
	const answer = await request(port, { method: 'PUT', path: '/events' }, events.map((e) => JSON.stringify(e)).join('\n'));
	assert.strictEqual(answer.text, '{}\n'.repeat(events.length));
}

// Entries that do not change while it blows.
async function calm(port) {
	await put(port, Array.from({ length: STILL }, (_, i) => ({ host: 'still', service: `s${i}`, metric: 0, ttl: 600 })));
}

// Serials 1 to `end`; between(n) is called after each batch.
async function storm(port, end, between) {
	const text = 'x'.repeat(100), batch = 500;

	for (let n = 1; n <= end; n += batch) {
		await put(port, Array.from({ length: Math.min(batch, end - n + 1) }, (_, i) => (
			{ host: 'storm', service: `s${(n + i) % SERVICES}`, metric: n + i, ttl: 600, description: text })));
		await between(n + batch - 1);
	}
}

async function counters(port) {
	const status = JSON.parse((await request(port, { path: '/status' })).text), all = {};

	for (const i of status.instances)
		all[i.name] = i.counters;
	return all;
}

async function until(what, seconds, test) {
	for (const end = Date.now() + 1000 * seconds; !await test();) {
		assert(Date.now() < end, `never: ${what}`);
		await new Promise((done) => setTimeout(done, 50));
	}
}

const memory = (pid, field) => Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(`${field}:\\s+(\\d+)`)[1]);

module.exports = { SERVICES, STILL, Seen, request, put, calm, storm, counters, until, memory };
