// SPDX-License-Identifier: Apache-2.0
// browser - Chromium's own WebSocket and EventSource see each update of a storm once; a page of another origin, as
// riemann-dash has one, may read and change nothing.  PORT FOLDER
'use strict';
const assert = require('assert');
const { spawn } = require('child_process');
const http = require('http');
const WebSocket = require('ws');
const { SERVICES, STILL, Seen, request, calm, storm, until } = require('./storm.js');

const port = Number(process.argv[2]), folder = process.argv[3], END = 100000;

// Its pages, by the protocol that its own developer tools use.
async function browse() {
	const child = spawn('chromium', ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
		'--disable-background-networking', `--user-data-dir=${folder}`, '--remote-debugging-port=0', 'about:blank'],
	{ stdio: ['ignore', 'ignore', 'pipe'] });
	process.on('exit', () => child.kill('SIGKILL'));
	const url = await new Promise((done, failed) => {
		let text = '';
		child.stderr.on('data', (piece) => {
			text += piece;
			const m = text.match(/DevTools listening on (ws:\S+)/);
			if (m)
				done(m[1]);
		});
		child.on('exit', () => failed(new Error(text)));
	});
	const ws = new WebSocket(url), waiting = new Map();
	let id = 0;
	await new Promise((done) => ws.on('open', done));
	ws.on('message', (text) => {
		const m = JSON.parse(text), done = waiting.get(m.id);
		waiting.delete(m.id);
		if (done)
			done(m);
	});
	const call = async (method, params, sessionId) => {
		const answer = await new Promise((done) => {
			waiting.set(++id, done);
			ws.send(JSON.stringify({ id, method, params, sessionId }));
		});
		assert(!answer.error, JSON.stringify(answer.error));
		return answer.result;
	};
	return async (address) => {
		const { targetId } = await call('Target.createTarget', { url: address });
		const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
		const evaluate = async (expression) => {
			const r = await call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }, sessionId);
			assert(!r.exceptionDetails, JSON.stringify(r.exceptionDetails));
			return r.result.value;
		};
		await until(`${address} is there`, 15, () => evaluate(`location.href.startsWith(${JSON.stringify(address)}) && document.readyState === 'complete'`));
		return evaluate;
	};
}

// In a page: follow the index by either, from now on.
function follow(host) {
	const all = window.all = window.all || [], query = encodeURIComponent('host = "storm" or host = "still"');
	for (const source of [new WebSocket(`ws://${host}/index?subscribe=true&query=${query}`), new EventSource(`/index?query=${query}`)]) {
		const seen = new Seen(...window.params);
		source.onmessage = (m) => seen.event(m.data);
		all.push(seen);
	}
}

// In a page of another origin: what riemann-dash does, and what it must not do.
async function dash(host) {
	const ws = new WebSocket(`ws://${host}/index?subscribe=true&query=${encodeURIComponent('host = "still" and metric = 0')}`);
	let n = 0, dated = 0;
	ws.onmessage = (m) => {
		const ev = JSON.parse(m.data);
		n++;
		dated += Date.parse(ev.time) > 1e12 && ev.ttl > 0;
	};
	for (let i = 0; n < 300 && i < 200; i++)
		await new Promise((done) => setTimeout(done, 50));
	const event = '{"host": "evil", "service": "s", "metric": 1}';
	const opened = await new Promise((done) => {
		const other = new WebSocket(`ws://${host}/events`);
		other.onopen = () => { other.send(event); done(true); };
		other.onerror = () => done(false);
	});
	await fetch(`http://${host}/events`, { method: 'POST', body: event, mode: 'no-cors' });
	const put = await fetch(`http://${host}/events`, { method: 'PUT', body: event }).then(() => true, () => false);
	return { n, dated, opened, put };
}

async function main() {
	const host = `127.0.0.1:${port}`, page = http.createServer((req, res) => res.end('<!DOCTYPE html><title>dash</title>'));
	const open = await browse(), own = await open(`http://${host}/`);

	await calm(port);
	await own(`window.Seen = ${Seen}; window.params = [${SERVICES}, ${STILL}, ${END}]; window.follow = ${follow}; follow("${host}")`);
	await storm(port, END, async (n) => {
		if (n === 30000 || n === 60000)
			await own(`follow("${host}")`);
		// Who falls behind by the 8 MiB that may wait for it is let go, and this machine has other work, too.
		if (n % 5000 === 0)
			await until('it keeps up', 60, async () => await own('Math.min(...all.map((seen) => seen.at()))') > n - 10000);
	});
	await until('all have seen the end', 60, () => own('all.every((seen) => seen.done())'));
	for (const [result, updates] of await own('all.map((seen) => [seen.result(), seen.updates()])')) {
		console.log(`${updates} updates`);
		assert.strictEqual(result, null);
	}
	assert.strictEqual(await own('all.length'), 6);

	await new Promise((done) => page.listen(0, '127.0.0.1', done));
	const other = await open(`http://127.0.0.1:${page.address().port}/`);
	assert.deepStrictEqual(await other(`(${dash})("${host}")`), { n: STILL, dated: STILL, opened: false, put: false });
	assert.strictEqual((await request(port, { path: '/index?query=host%20%3D%20%22evil%22' })).text.trim(), '[]');
	console.log('all is well');
	process.exit(0);
}

main().catch((e) => { console.error(e); process.exit(1); });
