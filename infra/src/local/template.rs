//! What the local stack reads out of `template.yaml`: routes, tables, queues and event source mappings, so that nothing
//! about the deployment is written down twice.
//!
//! A reference to another resource may come as `!Ref`, `!GetAtt`, `!Sub` or inside an `!If`; all that matters here is
//! which resource it leads to ([`target`]). Everything else that CloudFormation could compute is left to
//! CloudFormation.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// The parts of the template that run locally.
#[derive(Debug)]
pub struct Template {
    pub routes: Vec<Route>,
    pub tables: Vec<Named<Table>>,
    pub queues: Vec<Named<Queue>>,
    pub streams: Vec<StreamMapping>,
    pub consumers: Vec<QueueMapping>,
    pub schedules: Vec<Schedule>,
}

/// A resource and the name by which the template refers to it.
#[derive(Debug)]
pub struct Named<T> {
    pub id: String,
    pub properties: T,
}

/// A route of the HTTP API, and the function (cargo binary) behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// As API Gateway writes it: `POST /v1/reservations/{id}/confirm`.
    pub key: String,
    pub method: String,
    pub path: String,
    pub function: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Table {
    pub attribute_definitions: Vec<AttributeDefinition>,
    pub key_schema: Vec<KeyElement>,
    #[serde(default)]
    pub global_secondary_indexes: Vec<Index>,
    pub time_to_live_specification: Option<TimeToLive>,
    pub stream_specification: Option<StreamSpecification>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttributeDefinition {
    pub attribute_name: String,
    pub attribute_type: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyElement {
    pub attribute_name: String,
    pub key_type: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Index {
    #[serde(rename = "IndexName")]
    pub name: String,
    pub key_schema: Vec<KeyElement>,
    pub projection: Projection,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Projection {
    pub projection_type: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TimeToLive {
    pub attribute_name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamSpecification {
    pub stream_view_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Queue {
    #[serde(default, rename = "FifoQueue")]
    pub fifo: bool,
    #[serde(default)]
    pub content_based_deduplication: bool,
    pub deduplication_scope: Option<String>,
    pub fifo_throughput_limit: Option<String>,
    pub visibility_timeout: Option<u32>,
    pub message_retention_period: Option<u32>,
    pub redrive_policy: Option<Redrive>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Redrive {
    #[serde(deserialize_with = "reference")]
    pub dead_letter_target_arn: String,
    pub max_receive_count: u32,
}

/// A table's stream feeds a function.
#[derive(Debug)]
pub struct StreamMapping {
    pub function: String,
    pub properties: StreamMappingProperties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamMappingProperties {
    /// Logical id of the table.
    #[serde(rename = "Stream", deserialize_with = "reference")]
    pub table: String,
    /// Records in one call.
    #[serde(default = "hundred")]
    pub batch_size: usize,
    /// Tries after the first before a record is given up; −1 is for ever.
    #[serde(default = "forever")]
    pub maximum_retry_attempts: i64,
    pub destination_config: Option<DestinationConfig>,
    pub filter_criteria: Option<FilterCriteria>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DestinationConfig {
    pub on_failure: OnFailure,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OnFailure {
    /// Logical id of the queue.
    #[serde(deserialize_with = "reference")]
    pub destination: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FilterCriteria {
    pub filters: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Filter {
    /// An event pattern, as JSON in a string.
    pub pattern: String,
}

/// A queue feeds a function.
#[derive(Debug)]
pub struct QueueMapping {
    pub function: String,
    pub properties: QueueMappingProperties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueueMappingProperties {
    /// Logical id of the queue.
    #[serde(deserialize_with = "reference")]
    pub queue: String,
    /// Messages in one call.
    #[serde(default = "ten")]
    pub batch_size: usize,
}

/// A clock wakes a function.
#[derive(Debug)]
pub struct Schedule {
    pub function: String,
    pub properties: ScheduleProperties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScheduleProperties {
    /// How often: `rate(5 minutes)`. The local stack reads no `cron(…)`.
    #[serde(rename = "Schedule", deserialize_with = "rate")]
    pub seconds: u64,
    /// What the function is given instead of the schedule's own event, as JSON in a string.
    pub input: Option<String>,
}

// What Lambda takes when the template says nothing.
fn hundred() -> usize {
    100
}
fn ten() -> usize {
    10
}
fn forever() -> i64 {
    -1
}

impl Template {
    /// Reads a SAM template.
    pub fn parse(yaml: &str) -> Result<Self> {
        let document: yaml_serde::Value = yaml_serde::from_str(yaml).context("template.yaml is not YAML")?;
        let template = long_form(document)?;
        let Some(resources) = template["Resources"].as_object() else {
            bail!("template.yaml has no Resources");
        };
        let mut read = Self {
            routes: Vec::new(),
            tables: Vec::new(),
            queues: Vec::new(),
            streams: Vec::new(),
            consumers: Vec::new(),
            schedules: Vec::new(),
        };
        for (id, resource) in resources {
            read.resource(resources, id, resource).with_context(|| format!("template.yaml: {id}"))?;
        }
        Ok(read)
    }

    /// The table, queue or function behind an id of the template.
    fn resource(&mut self, resources: &Map<String, Value>, id: &str, resource: &Value) -> Result<()> {
        let properties = &resource["Properties"];
        match resource["Type"].as_str().unwrap_or_default() {
            "AWS::ApiGatewayV2::Route" => self.routes.push(route(resources, properties)?),
            "AWS::DynamoDB::Table" => self.tables.push(named(id, properties)?),
            "AWS::SQS::Queue" => self.queues.push(named(id, properties)?),
            "AWS::Serverless::Function" => {
                let function = binary(resource)?;
                for (name, event) in properties["Events"].as_object().into_iter().flatten() {
                    let mapping = || format!("event {name}");
                    match event["Type"].as_str().unwrap_or_default() {
                        "DynamoDB" => self.streams.push(StreamMapping {
                            function: function.clone(),
                            properties: typed(&event["Properties"]).with_context(mapping)?,
                        }),
                        "SQS" => self.consumers.push(QueueMapping {
                            function: function.clone(),
                            properties: typed(&event["Properties"]).with_context(mapping)?,
                        }),
                        "Schedule" => self.schedules.push(Schedule {
                            function: function.clone(),
                            properties: typed(&event["Properties"]).with_context(mapping)?,
                        }),
                        other => bail!("the local stack has no event source of type {other:?} (event {name})"),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Route → integration → function → cargo binary.
fn route(resources: &Map<String, Value>, properties: &Value) -> Result<Route> {
    let key = properties["RouteKey"].as_str().context("no RouteKey")?;
    let (method, path) = key.split_once(' ').context("RouteKey is not a method and a path")?;
    let integration = follow(resources, &properties["Target"]).context("Target leads to no integration")?;
    let function = follow(resources, &integration["Properties"]["IntegrationUri"])
        .context("the integration's IntegrationUri leads to no function")?;
    Ok(Route { key: key.to_owned(), method: method.to_owned(), path: path.to_owned(), function: binary(function)? })
}

fn follow<'a>(resources: &'a Map<String, Value>, reference: &Value) -> Option<&'a Value> {
    resources.get(&target(reference)?)
}

/// Which cargo binary a function is built from.
fn binary(function: &Value) -> Result<String> {
    let binary = function["Metadata"]["BuildProperties"]["Binary"].as_str();
    Ok(binary.context("no Metadata.BuildProperties.Binary")?.to_owned())
}

fn named<T: DeserializeOwned>(id: &str, properties: &Value) -> Result<Named<T>> {
    Ok(Named { id: id.to_owned(), properties: typed(properties)? })
}

fn typed<T: DeserializeOwned>(properties: &Value) -> Result<T> {
    // A resource may go without properties, as a queue does that takes every default.
    let properties = if properties.is_null() { &json!({}) } else { properties };
    Ok(T::deserialize(properties)?)
}

fn reference<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = Value::deserialize(deserializer)?;
    target(&value).ok_or_else(|| serde::de::Error::custom(format!("{value} refers to no resource")))
}

fn rate<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let seconds = || {
        let (count, unit) = text.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
        let unit = match unit.trim_end_matches('s') {
            "minute" => 60,
            "hour" => 60 * 60,
            "day" => 24 * 60 * 60,
            _ => return None,
        };
        count.parse::<u64>().ok().filter(|count| *count > 0)?.checked_mul(unit)
    };
    seconds().ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not like rate(5 minutes)")))
}

/// The logical id of the resource that an expression leads to.
fn target(expression: &Value) -> Option<String> {
    let (function, argument) = expression.as_object()?.iter().next()?;
    match function.as_str() {
        "Ref" => argument.as_str().map(str::to_owned),
        "Fn::GetAtt" => match argument {
            Value::String(path) => path.split('.').next().map(str::to_owned),
            _ => argument[0].as_str().map(str::to_owned),
        },
        "Fn::Sub" => {
            let text = argument.as_str().or_else(|| argument[0].as_str())?;
            let name = text.split_once("${")?.1.split_once('}')?.0;
            name.split('.').next().map(str::to_owned)
        }
        // The first choice is the stack's own resource; the other one is named by a parameter, which has no meaning
        // here.
        "Fn::If" => target(&argument[1]),
        _ => None,
    }
}

/// Writes CloudFormation's short tags out: `!Ref X` as `{"Ref": "X"}`, `!GetAtt X.Arn` as `{"Fn::GetAtt": "X.Arn"}`.
fn long_form(value: yaml_serde::Value) -> Result<Value> {
    Ok(match value {
        yaml_serde::Value::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            let name = match name {
                "Ref" | "Condition" => name.to_owned(),
                _ => format!("Fn::{name}"),
            };
            json!({ name: long_form(tagged.value)? })
        }
        yaml_serde::Value::Sequence(items) => Value::Array(items.into_iter().map(long_form).collect::<Result<_>>()?),
        yaml_serde::Value::Mapping(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let key = key.as_str().context("a key that is not a string")?.to_owned();
                    Ok((key, long_form(value)?))
                })
                .collect::<Result<_>>()?,
        ),
        plain => serde_json::to_value(plain)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r"
Resources:
  SellFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: sell } }
    Properties:
      Environment: { Variables: { TABLE_NAME: !If [Own, !Ref Table, !Select [1, !Split [/, !Ref Arn]]] } }
      Events:
        Changes:
          Type: DynamoDB
          Properties:
            Stream: !If [Own, !GetAtt Table.StreamArn, !Ref Other]
            StartingPosition: LATEST
            MaximumRetryAttempts: 3
            DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt Dead.Arn } }
            FilterCriteria: { Filters: [{ Pattern: '{}' }] }
        Work: { Type: SQS, Properties: { Queue: { Fn::GetAtt: [Work, Arn] }, BatchSize: 7 } }
        Tick: { Type: Schedule, Properties: { Schedule: rate(2 hours), Input: '[1]' } }
  Integration: { Type: AWS::ApiGatewayV2::Integration, Properties: { IntegrationUri: !GetAtt SellFunction.Arn } }
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties: { RouteKey: 'POST /v1/things/{id}', Target: !Sub 'integrations/${Integration}' }
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      StreamSpecification: { StreamViewType: NEW_IMAGE }
  Dead: { Type: AWS::SQS::Queue }
  Work:
    Type: AWS::SQS::Queue
    Properties: { VisibilityTimeout: 6, RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 } }
";

    #[test]
    fn a_route_leads_through_its_integration_to_a_binary() {
        let template = Template::parse(SMALL).unwrap();
        assert_eq!(
            template.routes,
            [Route {
                key: "POST /v1/things/{id}".into(),
                method: "POST".into(),
                path: "/v1/things/{id}".into(),
                function: "sell".into(),
            }]
        );
    }

    #[test]
    fn references_are_followed_in_every_notation() {
        let template = Template::parse(SMALL).unwrap();
        let stream = &template.streams[0];
        assert_eq!((stream.function.as_str(), stream.properties.table.as_str()), ("sell", "Table"));
        assert_eq!(stream.properties.destination_config.as_ref().unwrap().on_failure.destination, "Dead");
        assert_eq!((stream.properties.batch_size, stream.properties.maximum_retry_attempts), (100, 3));
        let consumer = &template.consumers[0];
        assert_eq!((consumer.properties.queue.as_str(), consumer.properties.batch_size), ("Work", 7));
        let work = template.queues.iter().find(|queue| queue.id == "Work").unwrap();
        let redrive = work.properties.redrive_policy.as_ref().unwrap();
        assert_eq!((redrive.dead_letter_target_arn.as_str(), redrive.max_receive_count), ("Dead", 5));
    }

    #[test]
    fn a_schedule_is_a_rate() {
        let schedules = |text: &str| Template::parse(&SMALL.replace("rate(2 hours)", text)).map(|read| read.schedules);
        for (text, seconds) in
            [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7_200), ("rate(1 day)", 86_400)]
        {
            let [schedule] = &schedules(text).unwrap()[..] else { panic!("one schedule") };
            assert_eq!((schedule.function.as_str(), schedule.properties.seconds), ("sell", seconds), "{text}");
            assert_eq!(schedule.properties.input.as_deref(), Some("[1]"));
        }
        for text in ["rate(0 minutes)", "rate(5 seconds)", "rate(5)", "cron(0 12 * * ? *)", "5 minutes"] {
            let fault = format!("{:#}", schedules(text).unwrap_err());
            assert!(fault.contains("is not like rate(5 minutes)"), "{text}: {fault}");
        }
    }

    #[test]
    fn a_fault_names_the_resource() {
        let broken = SMALL.replace("!GetAtt SellFunction.Arn", "!GetAtt Nobody.Arn");
        let fault = format!("{:#}", Template::parse(&broken).unwrap_err());
        assert!(fault.contains("Route") && fault.contains("leads to no function"), "{fault}");
    }

    #[test]
    fn the_projects_own_template_has_what_the_stack_needs() {
        let template = Template::parse(super::super::TEMPLATE).unwrap();
        assert!(
            template.routes.iter().any(|route| route.key == "POST /v1/reservations" && route.function == "reserve")
        );
        assert_eq!(template.tables.len(), 1);
        assert_eq!((template.streams.len(), template.consumers.len()), (2, 5));
        assert!(template.schedules.iter().any(|schedule| schedule.function == "redistribute"));
        let orders = template.queues.iter().find(|queue| queue.id == "OrderQueue").unwrap();
        assert!(orders.properties.fifo && orders.properties.redrive_policy.is_some());
        assert!(template.queues.iter().any(|queue| queue.properties.redrive_policy.is_some()));
    }
}
