package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

const typesNamespace = "http://www.w3.org/2001/XMLSchema-instance"

// Element is a parsed element of a request.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (e *element) xsiType() string {
	for _, attr := range e.Attrs {
		if attr.Name.Space == typesNamespace && attr.Name.Local == "type" {
			return attr.Value
		}
	}
	return ""
}

// Member is what a type of the API may have in it, in the order of its description.
type member struct {
	name     string
	kind     reflect.Type
	optional bool
	many     bool
}

// Members lists them, those of base types first: the structures of vim25/types are made from the WSDL, in its order.
func members(kind reflect.Type) []member {
	var all []member
	for i := 0; i < kind.NumField(); i++ {
		field := kind.Field(i)
		if field.Anonymous {
			all = append(all, members(field.Type)...)
			continue
		}
		words := strings.Split(field.Tag.Get("xml"), ",")
		options := strings.Join(words[1:], ",")
		if words[0] == "" || strings.Contains(options, "attr") && !strings.Contains(options, "typeattr") {
			continue
		}
		m := member{name: words[0], kind: field.Type, optional: strings.Contains(options, "omitempty")}
		if m.kind.Kind() == reflect.Slice && m.kind.Elem().Kind() != reflect.Uint8 {
			m.kind, m.many = m.kind.Elem(), true
		}
		if m.kind.Kind() == reflect.Ptr {
			m.kind, m.optional = m.kind.Elem(), true
		}
		all = append(all, m)
	}
	return all
}

// Concrete is the structure that an element of a member must have.
func concrete(e *element, declared reflect.Type) (reflect.Type, error) {
	named := e.xsiType()
	if prefix, local, found := strings.Cut(named, ":"); found {
		if prefix == "xsd" {
			return nil, nil
		}
		named = local
	}
	if named != "" {
		kind, ok := types.TypeFunc()(named)
		if !ok {
			return nil, fmt.Errorf("there is no type %s", named)
		}
		if declared.Kind() == reflect.Interface && !reflect.PointerTo(kind).Implements(declared) {
			return nil, fmt.Errorf("%s is no %s", named, declared.Name())
		}
		return kind, nil
	}
	if declared.Kind() != reflect.Interface {
		return declared, nil
	}
	kind, ok := types.TypeFunc()(strings.TrimPrefix(declared.Name(), "Base"))
	if !ok {
		return nil, fmt.Errorf("it needs an xsi:type")
	}
	return kind, nil
}

func checkValue(e *element, kind reflect.Type) error {
	var err error
	switch text := strings.TrimSpace(e.Text); kind.Kind() {
	case reflect.Bool:
		_, err = strconv.ParseBool(text)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		_, err = strconv.ParseInt(text, 10, kind.Bits())
	}
	return err
}

// Check tells how an element differs from what the description says of its type.
func check(e *element, declared reflect.Type) error {
	kind, err := concrete(e, declared)
	if err != nil || kind == nil {
		return err
	}
	if kind.Kind() != reflect.Struct || kind.PkgPath() == "time" {
		return checkValue(e, kind)
	}
	all := members(kind)
	seen := make([]int, len(all))
	at := 0
	for i := range e.Children {
		child := &e.Children[i]
		found := -1
		for j, m := range all {
			if m.name == child.XMLName.Local {
				found = j
			}
		}
		switch {
		case found < 0:
			return fmt.Errorf("%s has no %s", kind.Name(), child.XMLName.Local)
		case found < at:
			return fmt.Errorf("%s of %s comes too late", child.XMLName.Local, kind.Name())
		case seen[found] > 0 && !all[found].many:
			return fmt.Errorf("%s of %s comes twice", child.XMLName.Local, kind.Name())
		}
		at = found
		seen[found]++
		if err := check(child, all[found].kind); err != nil {
			return fmt.Errorf("%s: %w", child.XMLName.Local, err)
		}
	}
	for j, m := range all {
		if seen[j] == 0 && !m.optional {
			return fmt.Errorf("%s lacks %s", kind.Name(), m.name)
		}
	}
	return nil
}

// CheckRequest counts a request and compares it with the description of its method, which the simulator does not:
// it takes elements in any order, and passes over those that it does not know.
func (s *server) checkRequest(body []byte) error {
	var envelope struct {
		Body struct {
			Methods []element `xml:",any"`
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	if err := xml.Unmarshal(body, &envelope); err != nil {
		return err
	}
	if len(envelope.Body.Methods) != 1 {
		return fmt.Errorf("there are %d methods", len(envelope.Body.Methods))
	}
	method := &envelope.Body.Methods[0]
	s.mu.Lock()
	s.calls[method.XMLName.Local]++
	s.mu.Unlock()
	kind, ok := types.TypeFunc()(method.XMLName.Local)
	if !ok || method.XMLName.Space != "urn:vim25" {
		return fmt.Errorf("there is no method %s", method.XMLName.Local)
	}
	return check(method, kind)
}

// Strict refuses requests that a real vCenter would refuse, too, and hands on all others.
func (s *server) strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sdk" && r.Method == http.MethodPost {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = s.checkRequest(body)
			}
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				fmt.Fprint(w, `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Fault>`+
					`<faultcode>ServerFaultCode</faultcode><faultstring>`)
				_ = xml.EscapeText(w, []byte("not as the WSDL says: "+err.Error()))
				fmt.Fprint(w, `</faultstring><detail><InvalidRequestFault xmlns:xsi="`+typesNamespace+
					`" xsi:type="InvalidRequest"/></detail></Fault></Body></Envelope>`)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		if strings.Contains(r.URL.Path, "/vm-template/library-items/") && r.URL.Query().Get("action") == "deploy" {
			s.deploy(next, w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Recorder keeps an answer until it is known what is to be done about it.
type recorder struct {
	http.ResponseWriter
	body   bytes.Buffer
	status int
}

func (r *recorder) Write(data []byte) (int, error) { return r.body.Write(data) }
func (r *recorder) WriteHeader(status int)         { r.status = status }

// Deploy makes a machine of what the simulator makes of a template in a library, which is another template.
func (s *server) deploy(next http.Handler, w http.ResponseWriter, r *http.Request) {
	answer := &recorder{ResponseWriter: w, status: http.StatusOK}
	next.ServeHTTP(answer, r)
	var made struct{ Value string }
	if json.Unmarshal(answer.body.Bytes(), &made) == nil && made.Value != "" {
		s.unmark(made.Value)
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes())
}
