// Eyrie's template (../aws/template/eyrie.yaml) as a CDK stack. The template is included as it is, so that what CDK makes is
// what `eyrie aws deploy` makes; getResource and the members below reach into it.

import { Fn, Stack, StackProps, Token } from 'aws-cdk-lib';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3assets from 'aws-cdk-lib/aws-s3-assets';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import * as path from 'path';

export interface EyrieProps extends StackProps {
  /** The function's zip, with an executable named bootstrap. */
  readonly code: string;
  /** Processor that the zip is built for. Default: the template's, arm64. */
  readonly architecture?: 'arm64' | 'x86_64';
  /** Region into which findings are aggregated. */
  readonly homeRegion: string;
  /** The other Regions; given to the home Region's stack it makes the aggregator, unless it is empty. */
  readonly linkedRegions?: string[];
  /** Any other parameter of the template, such as Cluster, AlarmPriority, EnableSecurityHub, AlarmEmail1. */
  readonly parameters?: { [name: string]: string };
}

export class EyrieStack extends Stack {
  /** The function that makes findings of alerts. */
  public readonly function: lambda.CfnFunction;
  /** The topic that alarms are published to. */
  public readonly alarms: sns.CfnTopic;
  /** The template, for everything else in it. */
  public readonly template: CfnInclude;

  constructor(scope: Construct, id: string, props: EyrieProps) {
    super(scope, id, props);
    if (Token.isUnresolved(this.region)) {
      throw new Error(`${id}: say the Region in env: the home Region's stack differs from the others'`);
    }
    const code = new s3assets.Asset(this, 'Code', { path: props.code });
    const linked = props.linkedRegions ?? [];
    this.template = new CfnInclude(this, 'Template', {
      templateFile: path.join(__dirname, '..', '..', 'aws', 'template', 'eyrie.yaml'),
      preserveLogicalIds: true,
      parameters: {
        // The bucket of CDK's bootstrap is named …-ACCOUNT-REGION, and the template adds the Region.
        CodeBucketPrefix: Fn.select(0, Fn.split(`-${this.region}`, code.s3BucketName)),
        CodeKey: code.s3ObjectKey,
        HomeRegion: props.homeRegion,
        Aggregate: String(linked.length > 0),
        ...(linked.length > 0 ? { LinkedRegions: linked } : {}),
        ...(props.architecture ? { Architecture: props.architecture } : {}),
        ...props.parameters,
      },
    });
    this.function = this.template.getResource('Function') as lambda.CfnFunction;
    this.alarms = this.template.getResource('Alarms') as sns.CfnTopic;
  }
}
