package cfntest

import (
	"strings"
	"testing"
)

const broken = `
Description: x
Parameters:
  Used: {Type: String, Description: d, Default: a, AllowedValues: [a, b]}
  Unused: {Type: String, Description: d}
  BadDefault: {Type: Number, Description: d, Default: 5, MaxValue: 4}
Mappings:
  M: {k: {a: 1}}
Conditions:
  C: !Equals [!Ref Used, a]
  D: !Not [!Condition Nope]
Resources:
  Queue: {Type: AWS::SQS::Queue, Condition: C}
  Topic:
    Type: AWS::SNS::Topic
    DependsOn: Gone
    Properties:
      A: !Ref Queue
      B: !If [C, !Ref Queue, !Ref "AWS::NoValue"]
      C: !GetAtt Queue.Nothing
      D: !Sub "${Missing} ${BadDefault} ${!Literal}"
      E: !FindInMap [N, k, a]
  Odd: {Type: AWS::Odd::Thing}
`

func TestCheckFinds(t *testing.T) {
	parsed, err := Parse(broken)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(parsed.Check(), "\n")
	want := []string{
		"Odd: type AWS::Odd::Thing is not known",
		"Topic: DependsOn: refers to Gone, which there is not",
		"Topic: FindInMap: no mapping [N k a]",
		"Topic: Queue, a AWS::SQS::Queue, has no attribute Nothing",
		"Topic: refers to Missing, which there is not",
		"Topic: refers to Queue, which there is only if C",
		"Topic: refers to Queue, which there is only if C",
		"condition D is never used",
		"condition D: no condition Nope",
		"mapping M is never used",
		"parameter BadDefault: its own default: \"5\": the value is out of range",
		"parameter Unused is never used",
	}
	if got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestEvaluate(t *testing.T) {
	parsed, err := Parse(`
Parameters:
  On: {Type: String, Description: d, AllowedValues: ["true", "false"]}
  List: {Type: CommaDelimitedList, Description: d, Default: "a,b"}
Conditions:
  IsOn: !Equals [!Ref On, "true"]
Resources:
  Queue: {Type: AWS::SQS::Queue, Condition: IsOn, Properties: {QueueName: !Sub "${AWS::StackName}-q"}}
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      Queue: !If [IsOn, !GetAtt Queue.Arn, !Ref "AWS::NoValue"]
      List: !Ref List
Outputs:
  T: {Description: d, Value: !Ref Topic}
`)
	if err != nil {
		t.Fatal(err)
	}
	pseudo := Pseudo("111122223333", "cn-north-1", "s")
	on, outputs, err := parsed.Evaluate(map[string]string{"On": "true"}, pseudo)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := on["Topic"].Properties["Queue"], "arn:aws-cn:sqs:cn-north-1:111122223333:s-q"; got != want {
		t.Errorf("Queue is %v, want %s", got, want)
	}
	if got := on["Topic"].DependsOn; len(got) != 1 || got[0] != "Queue" {
		t.Errorf("Topic depends on %v", got)
	}
	if got, want := outputs["T"], "arn:aws-cn:sns:cn-north-1:111122223333:s-Topic-5E6E"; got != want {
		t.Errorf("output %s, want %s", got, want)
	}
	off, _, err := parsed.Evaluate(map[string]string{"On": "false", "List": "c"}, pseudo)
	if err != nil {
		t.Fatal(err)
	}
	if _, there := off["Topic"].Properties["Queue"]; there || len(off) != 1 {
		t.Errorf("got %v", off)
	}
	for want, params := range map[string]map[string]string{
		"[On] must have values": {}, "is not one of": {"On": "x"}, "do not exist": {"On": "true", "Else": "x"},
	} {
		if _, _, err := parsed.Evaluate(params, pseudo); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", params, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(broken)
	f.Fuzz(func(t *testing.T, body string) {
		parsed, err := Parse(body)
		if err != nil {
			return
		}
		parsed.Check()
		// Only that it ends without a panic: most inputs are no templates.
		_, _, _ = parsed.Evaluate(map[string]string{"Unused": "x"}, Pseudo("1", "r", "s"))
	})
}
