// submit.js - one message through nodemailer, given as a JSON object on standard input:
// host port service ca name login password mechanism, and either from rcpts content (base64), or compose: a message's parts
'use strict';
const { createTransport } = require(process.env.NODEMAILER);
const want = JSON.parse(require('fs').readFileSync(0, 'utf8'));

const transport = createTransport({
	host: want.host,
	port: want.port,
	secure: want.service === 'submissions',
	requireTLS: want.service === 'submission',
	ignoreTLS: want.service === 'clear',
	name: 'laptop.example.org',
	tls: { ca: want.ca, servername: want.name },
	auth: { user: want.login, pass: want.password },
	authMethod: want.mechanism,
	connectionTimeout: 20000,
	socketTimeout: 20000,
});

const mail = want.compose || { envelope: { from: want.from, to: want.rcpts }, raw: Buffer.from(want.content, 'base64') };

transport.sendMail(mail)
	.then((done) => console.log(done.response))
	.catch((error) => {
		console.error(`submit.js: ${error.code}: ${error.message}`);
		process.exitCode = 1;
	});
