// A tour of the machine.v1 API: makes two machines, follows, lists, watches and removes them.
//
//   node tour.js ADDRESS NAME DRIVER [OPTION=VALUE...] [--cookie-file FILE]
//                [--ca FILE --cert FILE --key FILE] [--run COMMAND] [--blocked OPTION=VALUE,...]
//
// ADDRESS is "unix:/path" with the cookie of server.json, or "host:port" with certificates. Prints
// a line for each thing that worked; the first one that does not ends it with status 1.
// OPTION=VALUE are options of the driver. --run logs in and runs a command. --blocked are options
// of a `generic` machine whose create cannot end, for something to cancel.
'use strict';

const {randomUUID} = require('node:crypto');
const fs = require('node:fs');
const {parseArgs} = require('node:util');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const TIMEOUT_MS = 30_000;
const protos = grpc.loadPackageDefinition(loader.fromJSON(
    require('./protos.json'),  // made from the .proto files by pbjs
    {keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true}));
const {v1} = protos.machine;

// Code and reason of a google.rpc.Status; the reason is one of machine/v1/error_reason.proto.
function explain({code, details}) {
  const info = details.find((any) => any.type_url.endsWith('/google.rpc.ErrorInfo'));
  const reason = info ? protos.google.rpc.ErrorInfo.deserialize(info.value).reason : '';
  return `${grpc.status[code]} ${reason}`;
}

// The same for a call that failed: the status travels in the trailing metadata.
function explainCall(error) {
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
  return explain(bytes ? protos.google.rpc.Status.deserialize(bytes)
                       : {code: error.code, details: []});
}

class OperationFailed extends Error {
  constructor(status) {
    super(status.message);
    this.status = status;
  }
}

function connect(options) {
  if (options['cookie-file']) {
    const metadata = new grpc.Metadata();
    const {cookie} = JSON.parse(fs.readFileSync(options['cookie-file'], 'utf8'));
    metadata.set('x-machine-cookie', cookie);
    return {credentials: grpc.credentials.createInsecure(), metadata};
  }
  const files = [options.ca, options.key, options.cert].map((path) => fs.readFileSync(path));
  return {credentials: grpc.credentials.createSsl(...files), metadata: new grpc.Metadata()};
}

class Tour {
  constructor(address, {credentials, metadata}) {
    this.metadata = metadata;
    this.drivers = new v1.Drivers(address, credentials);
    this.machines = new v1.Machines(address, credentials);
    this.operations = new protos.google.longrunning.Operations(address, credentials);
    this.events = new v1.OperationEvents(address, credentials);
    this.sessions = new v1.Sessions(address, credentials);
  }

  call(client, method, request) {
    return new Promise((resolve, reject) => {
      client[method](request, this.metadata, {deadline: Date.now() + TIMEOUT_MS},
                     (error, response) => error ? reject(error) : resolve(response));
    });
  }

  // OPTION=VALUE as the type that the driver's own description gives the option.
  async typed(driver, options) {
    const {flags} = await this.call(this.drivers, 'GetDriver', {name: driver});
    const types = new Map(flags.map((flag) => [flag.name, flag.type]));
    return options.map((option) => {
      const equals = option.indexOf('=');
      const [name, text] = [option.slice(0, equals), option.slice(equals + 1)];
      switch (types.get(name)) {
        case 'INT': return {name, int_value: Number(text)};
        case 'BOOL': return {name, bool_value: text === 'true'};
        case 'STRING_LIST': return {name, list_value: {values: text.split(',')}};
        default: return {name, string_value: text};
      }
    });
  }

  async create(name, driver, options, label) {
    return this.call(this.machines, 'CreateMachine', {
      machine_id: name,
      machine: {driver, driver_options: await this.typed(driver, options), labels: {tour: label}},
      request_id: randomUUID(),  // repeated after a lost answer, it makes nothing twice
    });
  }

  // Waits for an operation by its events, and loses the connection after the first one.
  async follow(operation) {
    if (operation.done) return;
    let sequence = 0;
    for (let lost = false; ; lost = true) {
      const stream = this.events.WatchOperation(
          {name: operation.name, after_sequence: sequence}, this.metadata);
      for await (const event of stream) {
        if (event.sequence !== sequence + 1) {
          throw new Error(`event ${event.sequence} follows ${sequence}`);
        }
        sequence = event.sequence;
        if (event.operation) {
          if (event.operation.error) throw new OperationFailed(event.operation.error);
          return;
        }
        if (!lost) break;  // which cancels the call
      }
    }
  }

  async list(tour) {
    const names = [];
    const request =
        {page_size: 1, filter: `labels.tour = "${tour}"`, read_mask: {paths: ['name']}};
    do {
      const page = await this.call(this.machines, 'ListMachines', request);
      names.push(...page.machines.map((machine) => machine.name));
      request.page_token = page.next_page_token;
    } while (request.page_token);
    return names;
  }

  // Watches from the start, loses the connection, changes a label and resumes.
  async watchAChange(name, tour) {
    const filter = `labels.tour = "${tour}"`;
    let count = 0, token = '';
    for await (const event of this.machines.WatchMachines(
        {filter, send_initial: true}, this.metadata)) {
      // The token of a list is that of the bookmark at its end.
      token = event.resume_token || token;
      if (event.type === 'BOOKMARK') break;
      ++count;
    }
    await this.call(this.machines, 'UpdateMachine',
                    {machine: {name: `machines/${name}`, labels: {tour, seen: 'yes'}}});
    for await (const event of this.machines.WatchMachines(
        {filter, resume_token: token}, this.metadata)) {
      if (event.machine?.labels.seen === 'yes') {
        return `${count}, then ${event.type} ${event.machine.name}`;
      }
    }
    throw new Error('the watch ended');
  }

  async run(name, command) {
    const stream = this.sessions.Exec(this.metadata);
    stream.write({start: {name: `machines/${name}`, command}});
    stream.write({eof: true});
    let output = '', code = null;
    for await (const answer of stream) {
      if (answer.stdout) output += answer.stdout;
      if (answer.exit) code = answer.exit.code;
    }
    return `${output.trim()}, exit status ${code}`;
  }

  // Runs an operation to its end: "done", or the reason why not.
  async outcome(operation) {
    try {
      await this.follow(await operation);
      return 'done';
    } catch (error) {
      if (error instanceof OperationFailed) return explain(error.status);
      if (error.metadata) return explainCall(error);
      throw error;
    }
  }

  remove(name) {
    return this.outcome(this.call(this.machines, 'DeleteMachine',
                                  {name: `machines/${name}`, allow_missing: true}));
  }

  async cancelledCreate(name, options, tour) {
    const operation = await this.create(name, 'generic', options, tour);
    await this.call(this.operations, 'CancelOperation', {name: operation.name});
    return this.outcome(operation);
  }
}

async function take(tour, name, driver, options, {run, blocked}) {
  const [first, second] = [`${name}-1`, `${name}-2`];
  for (const machine of [first, second]) {
    await tour.follow(await tour.create(machine, driver, options, name));
    console.log(`created ${machine}`);
  }
  await tour.create(first, driver, options, name)
      .catch((error) => console.log(`created again: ${explainCall(error)}`));
  console.log(`listed by pages of one: ${(await tour.list(name)).join(', ')}`);
  console.log(`watched: ${await tour.watchAChange(first, name)}`);
  for (const [word, method] of [['stopped', 'StopMachine'], ['started', 'StartMachine']]) {
    const operation = tour.call(tour.machines, method, {name: `machines/${first}`});
    console.log(`${word}: ${await tour.outcome(operation)}`);
  }
  if (run) console.log(`ran: ${await tour.run(first, run)}`);
  if (blocked) {
    console.log(`cancelled: ${await tour.cancelledCreate(`${name}-3`, blocked.split(','), name)}`);
    console.log(`removed: ${await tour.remove(`${name}-3`)}`);
  }
  for (const machine of [first, second]) console.log(`removed: ${await tour.remove(machine)}`);
}

const {values, positionals: [address, name, driver, ...options]} = parseArgs({
  allowPositionals: true,
  options: Object.fromEntries(['cookie-file', 'ca', 'cert', 'key', 'run', 'blocked'].map(
      (flag) => [flag, {type: 'string'}])),
});
take(new Tour(address, connect(values)), name, driver, options, values)
    .then(() => process.exit(0))
    .catch((error) => {
      const text = error.status ? explain(error.status) : error.metadata ? explainCall(error) : '';
      console.error(`tour.js: ${text}: ${error.message}`);
      process.exit(1);
    });
