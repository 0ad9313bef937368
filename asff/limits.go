package asff

// Limits of BatchImportFindings and of the finding itself. "Model" is AWS's service model of the
// Security Hub API (version 2018-10-26), "doc" the documentation of the named type's members, "guide" the
// AWS Security Hub User Guide. Lengths are in characters (Unicode code points) where AWS says "length".
const (
	// MaxFindingBytes is the largest finding that BatchImportFindings takes: 240 KB (guide, "Guidelines for
	// using BatchImportFindings").
	MaxFindingBytes = 240 * 1024
	// MaxImportFindings is the number of findings in one BatchImportFindings call (model).
	MaxImportFindings = 100
	// MaxImportBytes is the size of one BatchImportFindings call: 6 MB (guide, as above).
	MaxImportBytes = 6 << 20
	// MaxUpdateFindings is the number of findings one BatchUpdateFindings call may name (doc of the operation).
	MaxUpdateFindings = 100
	// MaxFilterValues is the number of conditions one attribute may have (doc of AwsSecurityFindingFilters: "up to
	// 20 filter values" for each attribute).
	MaxFilterValues = 20
	// MaxFilterAttributes is the number of attributes one filter may name (doc of AwsSecurityFindingFilters: "up to
	// ten finding attributes").
	MaxFilterAttributes = 10
	// MaxDepth is the deepest nesting of JSON that any parser here follows. It is our own limit: ASFF's deepest
	// defined path has 12 levels.
	MaxDepth = 64
)

// Lengths in characters, from the documentation of AwsSecurityFinding's members.
const (
	maxID             = 512
	minProductArn     = 12
	maxProductArn     = 2048
	maxProductName    = 128
	maxCompanyName    = 128
	maxRegion         = 16
	maxGeneratorID    = 512
	maxTitle          = 256
	maxDescription    = 1024
	maxAccountName    = 50
	maxOriginal       = 64
	maxNoteText       = 512
	maxRecommendation = 512
	maxMalwareName    = 64
	maxMalwarePath    = 512
	maxProtocol       = 16
	maxDomain         = 128
	maxProcessName    = 64
	maxProcessPath    = 512
	maxIndicatorValue = 512
	maxIndicatorSrc   = 64
	maxResourceType   = 256
	maxFieldKey       = 128
	maxProductValue   = 2048
	maxUserValue      = 1024
	maxOtherValue     = 1024 // BatchImportFindings' error message, cloud-custodian issue 3603
)

// Counts, from the same documentation.
const (
	maxTypes        = 50
	maxFields       = 50 // pairs of ProductFields, UserDefinedFields and Other, each
	maxMalware      = 5
	maxThreats      = 32
	maxIndicators   = 5
	maxResources    = 32
	maxRelated      = 10
	maxRequirements = 32
	maxStandards    = 20 // BatchImportFindings' error message, prowler pull request 2520
)
