#!/usr/bin/env node
// One stack a Region. What to deploy is said by context, on the command line (-c regions=eu-central-1,us-east-1) or in
// cdk.json: regions, homeRegion, code, architecture, stackName, and parameters, an object of the template's parameters.

import { App } from 'aws-cdk-lib';
import { EyrieStack } from '../lib/eyrie-stack';

const app = new App();

function context(name: string): string | undefined {
  const value: unknown = app.node.tryGetContext(name);
  if (value !== undefined && typeof value !== 'string') {
    throw new Error(`context ${name}: want text`);
  }
  return value;
}

const regions = (context('regions') ?? '').split(',').filter((r) => r !== '');
const code = context('code');
if (regions.length === 0 || code === undefined) {
  throw new Error('give the Regions and the function\'s zip: cdk synth -c regions=eu-central-1,us-east-1 -c code=eyrie-lambda.zip');
}
const architecture = context('architecture');
if (architecture !== undefined && architecture !== 'arm64' && architecture !== 'x86_64') {
  throw new Error(`context architecture: want arm64 or x86_64, not ${architecture}`);
}
const given: unknown = app.node.tryGetContext('parameters') ?? {};
const parameters = (typeof given === 'string' ? JSON.parse(given) : given) as { [name: string]: string };
const homeRegion = context('homeRegion') ?? regions[0];
const stackName = context('stackName') ?? 'eyrie';

for (const region of regions) {
  new EyrieStack(app, `${stackName}-${region}`, {
    stackName,
    env: { account: process.env.CDK_DEFAULT_ACCOUNT, region },
    code,
    architecture,
    homeRegion,
    linkedRegions: region === homeRegion ? regions.filter((r) => r !== homeRegion) : [],
    parameters,
  });
}
